from typing import Any

import pytest

from famichat.storage.base import new_id
from famichat.telemetry.events import Event, FamilyMemberRemoved, FamilyRoleChanged
from tests.support.app import RunningApp


def member(app: RunningApp, name: str) -> str:
    return f"/families/{app.home.family_id}/members/{getattr(app.home, name).user_id}"


async def test_users_list_their_own_families_and_members(app: RunningApp) -> None:
    async with app.http(app.home.nils) as http:
        families = (await http.get("/families")).json()["families"]
        members = (await http.get(f"/families/{app.home.family_id}/members")).json()["members"]

    assert [(each["id"], each["name"], each["role"]) for each in families] == [
        (app.home.family_id, "Sundqvist", "member")
    ]
    assert [(each["username"], each["role"]) for each in members] == [
        ("maja", "admin"),
        ("emil", "member"),
        ("inga", "member"),
        ("nils", "member"),
    ]
    assert set(members[0]) == {"user_id", "username", "display_name", "color", "picture", "role", "joined_at"}, (
        "and no address"
    )


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_a_stranger_cannot_tell_a_family_from_none(app: RunningApp, method: str) -> None:
    async with app.http(app.home.ada) as http:
        answers = []
        for family_id in (app.home.family_id, new_id(), "nonsense"):
            path = f"/families/{family_id}/members" + ("" if method == "GET" else f"/{app.home.nils.user_id}")
            answers.append(await http.request(method, path, json={"role": "admin"} if method == "PUT" else None))

    assert {(each.status_code, each.json()["code"]) for each in answers} == {(404, "not_found")}
    assert len({each.content for each in answers}) == 1


async def test_an_admin_changes_roles_and_all_members_see_it(app: RunningApp) -> None:
    emil = app.home.emil.user_id
    async with app.http(app.home.maja) as http, app.connect(app.home.nils) as nils:
        await nils.join(f"user:{app.home.nils.user_id}")
        answer = await http.put(member(app, "emil"), json={"role": "admin"})

        assert (answer.status_code, answer.json()["role"], answer.json()["username"]) == (200, "admin", "emil")
        received = await nils.assert_broadcast(f"user:{app.home.nils.user_id}", "conversation_updated")
        assert received.payload["conversation"]["id"] == app.talks.family
        assert {"user_id": emil, "role": "admin"} in received.payload["conversation"]["members"]


async def test_members_are_told_when_a_child_becomes_an_adult(app: RunningApp) -> None:
    own = f"user:{app.home.inga.user_id}"
    async with app.http(app.home.maja) as http, app.connect(app.home.inga) as inga:
        await inga.join(own)
        await http.put(member(app, "nils"), json={"role": "child"})
        await inga.assert_broadcast(own, "family_updated", {"family_id": app.home.family_id})
        await http.put(member(app, "nils"), json={"role": "member"})
        await inga.assert_broadcast(own, "family_updated", {"family_id": app.home.family_id})


@pytest.mark.parametrize("body", [{}, {"role": "owner"}, {"role": None}, {"role": "admin", "family_id": "x"}, None])
async def test_a_role_outside_the_list_is_refused(app: RunningApp, body: Any) -> None:
    async with app.http(app.home.maja) as http:
        answer = await http.put(member(app, "emil"), json=body)

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


async def test_a_member_may_leave_and_nothing_else(app: RunningApp) -> None:
    async with app.http(app.home.nils) as http:
        refused = [
            await http.put(member(app, "nils"), json={"role": "admin"}),
            await http.put(member(app, "maja"), json={"role": "member"}),
            await http.delete(member(app, "emil")),
        ]
        left = await http.delete(member(app, "nils"))

        assert {(each.status_code, each.json()["code"]) for each in refused} == {(403, "not_admin")}
        assert left.status_code == 204
        assert (await http.get("/families")).json() == {"families": []}


async def test_the_last_admin_stays(app: RunningApp) -> None:
    async with app.http(app.home.maja) as http:
        refused = [
            await http.delete(member(app, "maja")),
            await http.put(member(app, "maja"), json={"role": "member"}),
        ]

    assert {(each.status_code, each.json()["code"]) for each in refused} == {(409, "last_admin")}


async def test_a_removed_member_receives_no_more_messages(app: RunningApp) -> None:
    emil, family, group = (
        app.home.emil.user_id,
        f"message:family:{app.talks.family}",
        f"message:group:{app.talks.group}",
    )
    async with app.http(app.home.maja) as http, app.connect(app.home.emil) as out, app.connect(app.home.inga) as stays:
        for topic in (family, group, f"message:direct:{app.talks.direct}", f"user:{emil}"):
            await out.join(topic)
        await stays.join(family)
        await stays.join(f"user:{app.home.inga.user_id}")

        assert (await http.delete(member(app, "emil"))).status_code == 204

        for topic, id_, kind in ((family, app.talks.family, "family"), (group, app.talks.group, "group")):
            await out.assert_broadcast(topic, "phx_close")
            await out.assert_broadcast(f"user:{emil}", "conversation_left", {"conversation_id": id_, "type": kind})
        inga = f"user:{app.home.inga.user_id}"
        received = [await stays.assert_broadcast(inga, "conversation_updated") for _ in range(2)]
        changed = {each.payload["conversation"]["id"]: each.payload["conversation"]["members"] for each in received}
        assert set(changed) == {app.talks.family, app.talks.group}
        assert emil not in [each["user_id"] for members in changed.values() for each in members]
        await stays.assert_reply(await stays.push(family, "new_msg", {"body": "Is he gone?"}), "ok")
        await out.refute_broadcast(family, "new_msg")
        assert (await out.join(family, status="error"))["reason"] == "not_found"
        last_word = await out.ask(f"message:direct:{app.talks.direct}", "new_msg", {"body": "bye"})
        assert (last_word.status, last_word.response["reason"]) == ("error", "contact_ended")


async def test_actions_of_an_admin_are_recorded(app: RunningApp, emitted: list[Event]) -> None:
    maja, emil, family_id = app.home.maja.user_id, app.home.emil.user_id, app.home.family_id
    async with app.http(app.home.maja) as http:
        await http.put(member(app, "emil"), json={"role": "admin"})
        await http.delete(member(app, "emil"))
        await http.delete(member(app, "ada"))
    done = [each for each in emitted if isinstance(each, FamilyRoleChanged | FamilyMemberRemoved)]

    assert done == [
        FamilyRoleChanged(family_id=family_id, user_id=emil, role="admin", changed_by_id=maja),
        FamilyMemberRemoved(family_id=family_id, user_id=emil, removed_by_id=maja),
    ]
