"""Group members over HTTP: responses, broadcasts and audit log entries."""

import asyncio
from typing import Any

import pytest

from famichat.storage.base import new_id
from famichat.telemetry.events import Event, GroupMemberAdded, GroupMemberRemoved, GroupRoleChanged
from tests.factories.people import Person
from tests.support.app import RunningApp


def members(app: RunningApp, who: Person | str = "") -> str:
    """Return the URL of the group's members, or of one member."""
    user_id = who.user_id if isinstance(who, Person) else who
    return f"/conversations/{app.talks.group}/members" + (f"/{user_id}" if user_id else "")


def roles(conversation: dict[str, Any]) -> dict[str, str]:
    return {each["user_id"]: each["role"] for each in conversation["members"]}


def topic(app: RunningApp) -> str:
    return f"message:group:{app.talks.group}"


def own(who: Person) -> str:
    return f"user:{who.user_id}"


async def test_an_admin_adds_a_member_and_all_members_are_notified(app: RunningApp) -> None:
    home = app.home
    async with app.http(home.maja) as maja, app.connect(home.nils) as newcomer, app.connect(home.emil) as other:
        await newcomer.join(own(home.nils))
        await other.join(own(home.emil))
        answers = [await maja.post(members(app), json={"user_id": home.nils.user_id}) for _ in range(2)]

        assert [answer.status_code for answer in answers] == [201, 200]
        assert roles(answers[0].json())[home.nils.user_id] == "member"
        created = await newcomer.assert_broadcast(own(home.nils), "conversation_created")
        updated = await other.assert_broadcast(own(home.emil), "conversation_updated")
        for received in (created, updated):
            assert received.payload["conversation"]["id"] == app.talks.group
            assert home.nils.user_id in roles(received.payload["conversation"])
        assert (await newcomer.join(topic(app)))["messages"] == []
        await other.refute_broadcast(own(home.emil), "conversation_updated")


@pytest.mark.parametrize("history", ["joined", "all", None])
async def test_a_newcomer_sees_the_past_as_was_chosen_when_the_group_was_made(
    app: RunningApp, history: str | None
) -> None:
    home = app.home
    body = {"name": "Fika", "member_ids": [home.emil.user_id, home.inga.user_id]}
    async with app.http(home.maja) as maja, app.http(home.nils) as nils:
        made = await maja.post("/conversations/group", json=body if history is None else {**body, "history": history})
        messages = f"/conversations/{made.json()['id']}/messages"
        await maja.post(messages, json={"body": "before"})
        await maja.post(f"/conversations/{made.json()['id']}/members", json={"user_id": home.nils.user_id})
        await maja.post(messages, json={"body": "after"})
        seen = [each["body"] for each in (await nils.get(messages)).json()["messages"]]

    assert seen == (["before", "after"] if history == "all" else ["after"])


async def test_a_history_outside_the_list_is_refused(app: RunningApp) -> None:
    body = {"name": "Fika", "member_ids": [app.home.emil.user_id, app.home.inga.user_id], "history": "none"}
    async with app.http(app.home.maja) as maja:
        answer = await maja.post("/conversations/group", json=body)

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


async def test_a_removed_member_loses_access_at_once(app: RunningApp) -> None:
    home = app.home
    async with app.http(home.maja) as maja, app.connect(home.emil) as out, app.connect(home.inga) as stays:
        for each in (topic(app), own(home.emil)):
            await out.join(each)
        for each in (topic(app), own(home.inga)):
            await stays.join(each)

        assert (await maja.delete(members(app, home.emil))).status_code == 204

        await out.assert_broadcast(topic(app), "phx_close")
        left = {"conversation_id": app.talks.group, "type": "group"}
        await out.assert_broadcast(own(home.emil), "conversation_left", left)
        received = await stays.assert_broadcast(own(home.inga), "conversation_updated")
        assert home.emil.user_id not in roles(received.payload["conversation"])
        await stays.assert_reply(await stays.push(topic(app), "new_msg", {"body": "Is he gone?"}), "ok")
        await out.refute_broadcast(topic(app), "new_msg")
        await out.refute_broadcast(own(home.emil), "unread")
        assert (await out.join(topic(app), status="error"))["reason"] == "not_found"


async def test_every_member_may_leave(app: RunningApp) -> None:
    home = app.home
    async with app.http(home.emil) as emil, app.connect(home.emil) as device:
        await device.join(topic(app))
        answers = [await emil.delete(members(app, home.emil)) for _ in range(2)]

        assert [answer.status_code for answer in answers] == [204, 404]
        await device.assert_broadcast(topic(app), "phx_close")


async def test_a_role_is_visible_to_all_members(app: RunningApp) -> None:
    home = app.home
    async with app.http(home.maja) as maja, app.connect(home.inga) as inga:
        await inga.join(own(home.inga))
        answer = await maja.put(f"{members(app, home.emil)}/role", json={"role": "admin"})
        received = await inga.assert_broadcast(own(home.inga), "conversation_updated")

        assert answer.status_code == 200
        assert roles(answer.json())[home.emil.user_id] == "admin"
        assert roles(received.payload["conversation"]) == roles(answer.json())

        await maja.put(f"{members(app, home.emil)}/role", json={"role": "admin"})
        await inga.refute_broadcast(own(home.inga), "conversation_updated")


@pytest.mark.parametrize("body", [{}, {"role": "owner"}, {"role": None}, {"role": "admin", "x": 1}, None])
async def test_a_role_outside_the_list_is_refused(app: RunningApp, body: Any) -> None:
    async with app.http(app.home.maja) as maja:
        answer = await maja.put(f"{members(app, app.home.emil)}/role", json=body)

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


async def test_unknown_users_and_strangers_are_indistinguishable(app: RunningApp) -> None:
    async with app.http(app.home.maja) as maja:
        answers = [
            await maja.post(members(app), json={"user_id": user_id})
            for user_id in (app.home.ada.user_id, new_id(), "nonsense")
        ]
        removals = [
            await maja.delete(members(app, user_id))
            for user_id in (app.home.ada.user_id, app.home.nils.user_id, new_id(), "nonsense")
        ]

    assert {(each.status_code, each.json()["code"]) for each in answers} == {(404, "not_found")}
    assert {(each.status_code, each.json()["code"]) for each in removals} == {(409, "not_participant")}
    assert len({each.content for each in answers}) == len({each.content for each in removals}) == 1


async def test_one_of_two_admins_who_leave_concurrently_stays(app: RunningApp) -> None:
    home = app.home
    async with app.http(home.maja) as maja, app.http(home.emil) as emil:
        await maja.put(f"{members(app, home.emil)}/role", json={"role": "admin"})
        answers = await asyncio.gather(maja.delete(members(app, home.maja)), emil.delete(members(app, home.emil)))

    assert sorted(answer.status_code for answer in answers) == [204, 409]
    [refused] = [answer.json() for answer in answers if answer.status_code == 409]
    assert refused["code"] == "last_admin"


async def test_each_action_is_recorded_once(app: RunningApp, emitted: list[Event]) -> None:
    home, group = app.home, app.talks.group
    maja_id, nils_id = home.maja.user_id, home.nils.user_id
    async with app.http(home.maja) as maja:
        for _ in range(2):
            await maja.post(members(app), json={"user_id": nils_id})
            await maja.put(f"{members(app, home.nils)}/role", json={"role": "admin"})
        for _ in range(2):
            await maja.delete(members(app, home.nils))
    done = [each for each in emitted if isinstance(each, GroupMemberAdded | GroupRoleChanged | GroupMemberRemoved)]

    assert done == [
        GroupMemberAdded(conversation_id=group, user_id=nils_id, added_by_id=maja_id),
        GroupRoleChanged(conversation_id=group, user_id=nils_id, role="admin", changed_by_id=maja_id),
        GroupMemberRemoved(conversation_id=group, user_id=nils_id, removed_by_id=maja_id),
    ]


async def test_a_removal_from_the_family_is_recorded_in_its_groups_too(app: RunningApp, emitted: list[Event]) -> None:
    home, group = app.home, app.talks.group
    maja_id, emil_id, inga_id = home.maja.user_id, home.emil.user_id, home.inga.user_id
    async with app.http(home.maja) as maja:
        await maja.put(f"{members(app, home.inga)}/role", json={"role": "admin"})
        await maja.put(f"{members(app, home.maja)}/role", json={"role": "member"})
        emitted.clear()
        await maja.delete(f"/families/{home.family_id}/members/{inga_id}")
        heir = (await maja.get(f"/conversations/{group}")).json()
    done = [each for each in emitted if isinstance(each, GroupRoleChanged | GroupMemberRemoved)]

    [promoted] = [user_id for user_id, role in roles(heir).items() if role == "admin"]
    assert promoted in {maja_id, emil_id}
    assert done == [
        GroupMemberRemoved(conversation_id=group, user_id=inga_id, removed_by_id=maja_id),
        GroupRoleChanged(conversation_id=group, user_id=promoted, role="admin", changed_by_id=maja_id),
    ]
