import asyncio
from typing import Any

import httpx
import pytest

from famichat.accounts.invite import MAX_LIFE
from famichat.storage.base import new_id
from tests.support.app import RunningApp

OLLE = {"username": "Olle", "password": "en riktig lång nyckel", "email": "olle@example.org", "device_name": "phone"}


async def invite(app: RunningApp, **body: Any) -> dict[str, Any]:
    async with app.http(app.home.maja) as http:
        answer = await http.post(f"/families/{app.home.family_id}/invites", json=body)
    assert answer.status_code == 201, answer.text
    issued: dict[str, Any] = answer.json()
    return issued


async def accept(http: httpx.AsyncClient, token: str, **changes: Any) -> httpx.Response:
    return await http.post(f"/invites/{token}/accept", json={**OLLE, **changes})


async def test_an_admin_makes_an_invitation_and_sees_it_without_its_token(app: RunningApp) -> None:
    issued = await invite(app, role="admin", expires_in=3600)
    async with app.http(app.home.maja) as http:
        [listed] = (await http.get(f"/families/{app.home.family_id}/invites")).json()["invites"]

    assert issued["url"].endswith(f":{app.url.rpartition(':')[2]}/invite#{issued['token']}")
    assert (issued["role"], issued["created_by_id"]) == ("admin", app.home.maja.user_id)
    assert listed == {key: value for key, value in issued.items() if key not in {"token", "url"}}


async def test_an_invitation_needs_no_body(app: RunningApp) -> None:
    async with app.http(app.home.maja) as http:
        answer = await http.post(f"/families/{app.home.family_id}/invites")

    assert (answer.status_code, answer.json()["role"]) == (201, "member")


@pytest.mark.parametrize(
    "body",
    [
        {"role": "owner"},
        {"expires_in": 0},
        {"expires_in": -1},
        {"expires_in": int(MAX_LIFE.total_seconds()) + 1},
        {"expires_in": "soon"},
        {"expires_in": "60"},
        {"expires_in": 60.0},
        {"expires_in": True},
        {"family_id": "x"},
        [],
    ],
)
async def test_a_malformed_invitation_is_refused(app: RunningApp, body: Any) -> None:
    async with app.http(app.home.maja) as http:
        answer = await http.post(f"/families/{app.home.family_id}/invites", json=body)

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


async def test_only_family_admins_create_list_and_revoke_invitations(app: RunningApp) -> None:
    issued = await invite(app)
    path = f"/families/{app.home.family_id}/invites"
    for person, expected in ((app.home.emil, (403, "not_admin")), (app.home.ada, (404, "not_found"))):
        async with app.http(person) as http:
            answers = [await http.post(path), await http.get(path), await http.delete(f"{path}/{issued['id']}")]
        assert {(each.status_code, each.json()["code"]) for each in answers} == {expected}


async def test_an_invitation_shows_the_family_the_role_and_the_expiry(app: RunningApp) -> None:
    issued = await invite(app)
    async with app.http() as http:
        answer = await http.get(f"/invites/{issued['token']}")

    assert answer.json() == {"family_name": "Sundqvist", "role": "member", "expires_at": issued["expires_at"]}


async def test_a_newcomer_accepts_is_signed_in_and_in_the_familys_conversation(app: RunningApp) -> None:
    token = (await invite(app))["token"]
    inga = app.home.inga.user_id
    async with app.http() as http, app.connect(app.home.inga) as client:
        await client.join(f"user:{inga}")
        answer = await accept(http, token)

        assert answer.status_code == 201, answer.text
        arrived = answer.json()
        headers = {"authorization": f"Bearer {arrived['access_token']}"}
        me = (await http.get("/me", headers=headers)).json()
        conversations = (await http.get("/conversations", headers=headers)).json()["conversations"]
        assert (me["username"], me["email"]) == ("Olle", "olle@example.org")
        assert [each["id"] for each in me["families"]] == [arrived["family_id"]] == [app.home.family_id]
        assert [each["id"] for each in conversations] == [app.talks.family]
        received = await client.assert_broadcast(f"user:{inga}", "conversation_updated")
        assert me["id"] in [each["user_id"] for each in received.payload["conversation"]["members"]]


async def test_an_existing_user_accepts_with_a_token(app: RunningApp) -> None:
    token = (await invite(app))["token"]
    ada = app.home.ada.user_id
    async with app.http(app.home.ada) as http, app.connect(app.home.ada) as client:
        await client.join(f"user:{ada}")
        answer = await http.post(f"/invites/{token}/accept")

        assert (answer.status_code, answer.json()) == (200, {"family_id": app.home.family_id, "joined": True})
        received = await client.assert_broadcast(f"user:{ada}", "conversation_created")
        assert received.payload["conversation"]["id"] == app.talks.family
        await client.join(f"message:family:{app.talks.family}")
        names = [each["name"] for each in (await http.get("/families")).json()["families"]]
        assert names == ["Okafor", "Sundqvist"]


async def test_a_member_does_not_use_up_an_invitation(app: RunningApp) -> None:
    token = (await invite(app))["token"]
    async with app.http(app.home.emil) as http:
        answer = await http.post(f"/invites/{token}/accept", json={})
        assert (answer.status_code, answer.json()["joined"]) == (200, False)
        assert (await http.get(f"/invites/{token}")).status_code == 200


async def test_the_token_can_be_sent_in_the_body_because_proxies_log_paths(app: RunningApp) -> None:
    token = (await invite(app))["token"]
    async with app.http() as http:
        previewed = await http.post("/invites/preview", json={"token": token})
        assert previewed.json() == (await http.get(f"/invites/{token}")).json()
        assert (await http.post("/invites/preview", json={"token": "x"})).json()["code"] == "invalid_invite"

        joined = await http.post("/invites/accept", json={"token": token, **OLLE})
        again = await http.post("/invites/accept", json={"token": token, **OLLE, "username": "another"})

    assert (joined.status_code, joined.json()["family_id"]) == (201, app.home.family_id)
    assert (again.status_code, again.json()["code"]) == (404, "invalid_invite")


async def test_accepting_requires_a_new_or_an_existing_account(app: RunningApp) -> None:
    token = (await invite(app))["token"]
    async with app.http() as http:
        answer = await http.post(f"/invites/{token}/accept")
        forged = await http.post(f"/invites/{token}/accept", headers={"authorization": "Bearer nonsense"})

    codes = [(each.status_code, each.json()["code"]) for each in (answer, forged)]
    assert codes == [(401, "unauthorized"), (401, "invalid_token")]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"username": "EMIL"}, (409, "username_taken")),
        ({"username": "rn\u0430ja"}, (409, "username_taken")),
        ({"email": "Maja@Example.org"}, (409, "email_taken")),
        ({"username": "a\u200bb"}, (422, "invalid_username")),
        ({"email": "olle"}, (422, "invalid_email")),
        ({"password": "12345678"}, (422, "weak_password")),
        ({"password": None}, (422, "invalid_request")),
        ({"role": "admin"}, (422, "invalid_request")),
        ({"family_id": "x"}, (422, "invalid_request")),
        ({"device_name": "\n"}, (422, "invalid_device_name")),
    ],
)
async def test_a_refused_field_is_named_and_the_invitation_stays_valid(
    app: RunningApp, changes: dict[str, Any], expected: tuple[int, str]
) -> None:
    token = (await invite(app))["token"]
    async with app.http() as http:
        refused = await accept(http, token, **changes)
        assert (refused.status_code, refused.json()["code"]) == expected
        assert (await accept(http, token)).status_code == 201


async def test_used_revoked_and_unknown_invitations_are_indistinguishable(app: RunningApp) -> None:
    used, taken_back = await invite(app), await invite(app)
    async with app.http() as http:
        assert (await accept(http, used["token"])).status_code == 201
        async with app.http(app.home.maja) as maja:
            path = f"/families/{app.home.family_id}/invites/{taken_back['id']}"
            assert (await maja.delete(path)).status_code == 204
            again = await maja.delete(path)
            nobodys = await maja.delete(f"/families/{app.home.family_id}/invites/{new_id()}")

        answers = [again, nobodys]
        for token in (used["token"], taken_back["token"], "nonsense", "%00", "a" * 5000):
            answers += [await http.get(f"/invites/{token}"), await accept(http, token, username="another")]

    assert {(each.status_code, each.json()["code"]) for each in answers} == {(404, "invalid_invite")}
    assert len({each.content for each in answers}) == 1


async def test_an_invitation_to_one_family_opens_no_other(app: RunningApp) -> None:
    issued = await invite(app)
    async with app.http(app.home.ada) as http:
        answer = await http.delete(f"/families/{app.home.other_family_id}/invites/{issued['id']}")
        assert (answer.status_code, answer.json()["code"]) == (404, "invalid_invite")
        assert (await http.get(f"/invites/{issued['token']}")).status_code == 200


async def test_one_of_ten_concurrent_acceptances_succeeds(app: RunningApp) -> None:
    token = (await invite(app))["token"]
    async with app.http() as http:
        answers = await asyncio.gather(
            *(accept(http, token, username=f"person {number}", email=None) for number in range(10))
        )
    async with app.http(app.home.maja) as http:
        members = (await http.get(f"/families/{app.home.family_id}/members")).json()["members"]

    assert sorted(each.status_code for each in answers) == [201] + [404] * 9
    assert len(members) == 5


async def test_a_newcomer_whose_name_is_taken_receives_free_ones(app: RunningApp) -> None:
    token = (await invite(app))["token"]
    async with app.http(app.home.maja) as http:
        assert (await http.patch("/me", json={"display_name": "Mum"})).status_code == 200
    suggestions: list[str] = []
    async with app.http() as http:
        for taken in ("emil", "ada", "Mum"):
            refused = await accept(http, token, username=taken)
            assert (refused.status_code, refused.json()["code"]) == (409, "username_taken")
            suggestions = refused.json()["suggestions"]
            assert all(each.startswith(taken) for each in suggestions)
        accepted = await accept(http, token, username=suggestions[0])

    assert accepted.status_code == 201, accepted.text


async def test_joining_a_family_in_which_the_name_is_taken_is_refused_and_keeps_the_invitation(app: RunningApp) -> None:
    token = (await invite(app))["token"]
    for who in (app.home.maja, app.home.ada):
        async with app.http(who) as http:
            assert (await http.patch("/me", json={"display_name": "Mum"})).status_code == 200
    async with app.http(app.home.ada) as http:
        refused = await http.post(f"/invites/{token}/accept")
        assert (refused.status_code, refused.json()["code"]) == (409, "name_taken_in_family")
        await http.patch("/me", json={"display_name": "Ada"})
        assert (await http.post(f"/invites/{token}/accept")).json()["joined"] is True
