"""Conversations over HTTP: the routes and their broadcasts."""

import asyncio
from typing import Any

import httpx
import pytest

from famichat.storage.base import new_id
from famichat.telemetry.events import ConversationCreated, ConversationHidden, Event
from tests.support.app import RunningApp

FLAGS = ("hidden", "archived", "muted", "pinned", "marked-unread")
FIELDS = {
    "id", "type", "family_id", "name", "created_at", "epoch", "last_seq", "last_change", "history", "members",
    "encryption_policy", "encryption_status", "mls", "last_message", "unread", "hidden", "hidden_by_users", "archived",
    "pinned", "marked_unread", "muted_until", "contact",
}  # fmt: skip


def requests_for(app: RunningApp) -> dict[str, tuple[str, dict[str, Any] | None]]:
    """Inga's creation requests per type. Only the group request creates a new conversation each time."""
    home = app.home
    return {
        "self": ("/conversations/self", None),
        "direct": ("/conversations/direct", {"user_id": home.nils.user_id}),
        "group": ("/conversations/group", {"name": "Fika", "member_ids": [home.nils.user_id, home.emil.user_id]}),
        "family": ("/conversations/family", {}),
    }


async def a_problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    problem: dict[str, Any] = answer.json()
    assert (answer.status_code, problem["code"], problem["status"]) == (status, code, status)
    assert answer.headers["content-type"] == "application/problem+json"
    return problem


@pytest.mark.parametrize(("kind", "statuses"), [("self", [201, 200]), ("direct", [201, 200]), ("group", [201, 201])])
async def test_a_conversation_is_created_once_and_found_again(app: RunningApp, kind: str, statuses: list[int]) -> None:
    path, body = requests_for(app)[kind]
    async with app.http(app.home.inga) as inga:
        answers = [await inga.post(path, json=body) for _ in range(2)]

    assert [answer.status_code for answer in answers] == statuses
    assert answers[0].json().keys() == FIELDS
    assert answers[0].json()["type"] == kind
    assert (answers[0].json()["id"] == answers[1].json()["id"]) == (statuses[1] == 200)


@pytest.mark.parametrize("with_body", [True, False])
async def test_the_familys_conversation_is_found_with_and_without_naming_it(
    app: RunningApp, *, with_body: bool
) -> None:
    body = {"family_id": app.home.family_id} if with_body else None
    async with app.http(app.home.nils) as nils:
        answer = await nils.post("/conversations/family", json=body)

    assert (answer.status_code, answer.json()["id"]) == (200, app.talks.family)
    assert len(answer.json()["members"]) == 4


async def test_fifty_requests_at_once_make_one(app: RunningApp, emitted: list[Event]) -> None:
    async with app.http(app.home.inga) as inga:
        body = {"user_id": app.home.nils.user_id}
        answers = await asyncio.gather(*(inga.post("/conversations/direct", json=body) for _ in range(50)))

    assert len({answer.json()["id"] for answer in answers}) == 1
    assert sorted(answer.status_code for answer in answers) == [200] * 49 + [201]
    assert [event.made for event in emitted if isinstance(event, ConversationCreated)].count(True) == 1


@pytest.mark.parametrize("kind", ["direct", "group", "family"])
async def test_strangers_are_not_found(app: RunningApp, kind: str) -> None:
    home = app.home
    path, body = {
        "direct": ("/conversations/direct", {"user_id": home.ada.user_id}),
        "group": ("/conversations/group", {"name": "Fika", "member_ids": [home.emil.user_id, home.ada.user_id]}),
        "family": ("/conversations/family", {"family_id": home.other_family_id}),
    }[kind]
    async with app.http(home.maja) as maja:
        answer = await maja.post(path, json=body)

    assert (await a_problem(answer, 404, "not_found")).keys() == {"type", "title", "status", "code"}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"name": "Fika", "member_ids": []}, "invalid_members"),
        ({"name": "", "member_ids": "EMIL NILS"}, "invalid_name"),
        ({"name": "Fika"}, "invalid_request"),
        ({"name": "Fika", "member_ids": [], "type": "direct"}, "invalid_request"),
        ({"name": "Fika", "member_ids": ["x"] * 501}, "invalid_request"),
    ],
)
async def test_an_invalid_group_is_refused(app: RunningApp, body: dict[str, Any], code: str) -> None:
    if body.get("member_ids") == "EMIL NILS":
        body = {**body, "member_ids": [app.home.emil.user_id, app.home.nils.user_id]}
    async with app.http(app.home.maja) as maja:
        await a_problem(await maja.post("/conversations/group", json=body), 422, code)


async def test_a_direct_conversation_with_oneself_is_refused(app: RunningApp) -> None:
    async with app.http(app.home.maja) as maja:
        answer = await maja.post("/conversations/direct", json={"user_id": app.home.maja.user_id})

    await a_problem(answer, 422, "own_account")


async def test_a_list_contains_the_callers_conversations_only(app: RunningApp) -> None:
    async with app.http(app.home.maja) as maja, app.http(app.home.nils) as nils, app.http(app.home.ada) as ada:
        lists = [(await each.get("/conversations")).json()["conversations"] for each in (maja, nils, ada)]

    talks = app.talks
    assert {each["id"] for each in lists[0]} == {talks.self, talks.direct, talks.group, talks.family}
    assert [each["id"] for each in lists[1]] == [talks.family]
    assert lists[2] == []
    assert all(each.keys() == FIELDS for each in lists[0])


async def test_pages_together_are_the_whole_list(app: RunningApp) -> None:
    async with app.http(app.home.maja) as maja:
        whole = (await maja.get("/conversations")).json()
        two = (await maja.get("/conversations", params={"limit": 2})).json()
        others = (await maja.get("/conversations", params={"limit": 2, "cursor": two["next_cursor"]})).json()
        rest = (await maja.get("/conversations", params={"cursor": two["next_cursor"]})).json()

    assert whole.keys() == rest.keys() == {"conversations"}
    assert two.keys() == others.keys() == {"conversations", "next_cursor"}
    assert two["conversations"] + others["conversations"] == whole["conversations"]
    assert rest["conversations"] == others["conversations"]
    assert others["next_cursor"] is None


async def test_a_page_contains_only_hidden_conversations_if_these_are_requested(app: RunningApp) -> None:
    async with app.http(app.home.maja) as maja:
        for conversation_id in (app.talks.group, app.talks.direct):
            await maja.put(f"/conversations/{conversation_id}/hidden")
        query = {"hidden": True, "limit": 1}
        first = (await maja.get("/conversations", params=query)).json()
        second = (await maja.get("/conversations", params={**query, "cursor": first["next_cursor"]})).json()

    pages = first["conversations"], second["conversations"]
    assert [len(page) for page in pages] == [1, 1]
    assert {page[0]["id"] for page in pages} == {app.talks.group, app.talks.direct}
    assert second["next_cursor"] is None


async def test_the_last_page_of_no_conversations_is_empty(app: RunningApp) -> None:
    async with app.http(app.home.ada) as ada:
        answer = await ada.get("/conversations", params={"limit": 1000})

    assert answer.json() == {"conversations": [], "next_cursor": None}


@pytest.mark.parametrize(
    ("field", "value", "wrong"),
    [
        ("cursor", "", "Value error, must be the `next_cursor` of an earlier page"),
        ("cursor", "1.nothing", "Value error, must be the `next_cursor` of an earlier page"),
        ("limit", "0", "Input should be greater than or equal to 1"),
        ("limit", "-1", "Value error, a whole number is written in digits"),
    ],
)
async def test_a_malformed_cursor_or_limit_is_refused(app: RunningApp, field: str, value: str, wrong: str) -> None:
    async with app.http(app.home.maja) as maja:
        problem = await a_problem(await maja.get("/conversations", params={field: value}), 422, "invalid_request")

    assert problem["errors"] == [{"field": field, "problem": wrong}]


@pytest.mark.parametrize("method", ["GET", "PATCH"])
async def test_a_conversation_of_others_is_not_found(app: RunningApp, method: str) -> None:
    body = {"name": "Mitt"} if method == "PATCH" else None
    asked = [
        (app.home.ada, app.talks.direct),
        (app.home.nils, app.talks.group),
        (app.home.maja, new_id()),
        (app.home.maja, "malformed"),
        (app.home.maja, "%00"),
    ]
    answers = set()
    for who, conversation_id in asked:
        async with app.http(who) as client:
            answer = await client.request(method, f"/conversations/{conversation_id}", json=body)
            await a_problem(answer, 404, "not_found")
            answers.add(answer.content)

    assert len(answers) == 1


@pytest.mark.parametrize("flag", FLAGS)
async def test_each_view_setting_is_set_and_removed_idempotently(app: RunningApp, flag: str) -> None:
    path = f"/conversations/{app.talks.direct}/{flag}"
    field = "muted_until" if flag == "muted" else flag.replace("-", "_")
    async with app.http(app.home.maja) as maja, app.http(app.home.emil) as emil:
        seen = []
        for method in ("PUT", "PUT", "DELETE", "DELETE"):
            answer = await maja.request(method, path)
            assert answer.status_code == 200
            seen.append(answer.json()[field])
            assert (await maja.get(f"/conversations/{app.talks.direct}")).json()[field] == seen[-1]
        assert (await emil.get(f"/conversations/{app.talks.direct}")).json()[field] in {False, None}

    assert seen == (["9999-12-31T23:59:59.999999Z"] * 2 + [None] * 2 if flag == "muted" else [True, True, False, False])


@pytest.mark.parametrize("flag", FLAGS)
@pytest.mark.parametrize("method", ["PUT", "DELETE"])
async def test_view_settings_of_a_conversation_of_others_are_not_found(app: RunningApp, flag: str, method: str) -> None:
    async with app.http(app.home.ada) as ada:
        await a_problem(await ada.request(method, f"/conversations/{app.talks.direct}/{flag}"), 404, "not_found")


async def test_muting_until_a_time(app: RunningApp) -> None:
    path = f"/conversations/{app.talks.direct}/muted"
    async with app.http(app.home.maja) as maja:
        answer = await maja.put(path, json={"until": "2099-01-01T01:00:00+01:00"})
        for until in (
            0,
            4e9,
            True,
            "4000000000",
            "2099-01-01T00:00:00",
            "soon",
            "9999-12-31T23:59:59-12:00",
            "0001-01-01T00:00:00+12:00",
        ):
            await a_problem(await maja.put(path, json={"until": until}), 422, "invalid_request")

    assert answer.json()["muted_until"] == "2099-01-01T00:00:00.000000Z"


async def test_a_hidden_conversation_stays_hidden_until_a_new_message(app: RunningApp) -> None:
    async with app.http(app.home.maja) as maja, app.http(app.home.emil) as emil:
        await maja.put(f"/conversations/{app.talks.direct}/hidden")
        shown = (await maja.get("/conversations")).json()["conversations"]
        hidden = (await maja.get("/conversations", params={"hidden": "true"})).json()["conversations"]
        await emil.post(f"/conversations/{app.talks.direct}/messages", json={"body": "hej"})
        again = (await maja.get("/conversations")).json()["conversations"]

    assert app.talks.direct not in {each["id"] for each in shown}
    assert [each["id"] for each in hidden] == [app.talks.direct]
    assert (again[0]["id"], again[0]["unread"], again[0]["last_message"]["body"]) == (app.talks.direct, 1, "hej")


@pytest.mark.parametrize(
    ("who", "kind", "status", "code"),
    [
        ("maja", "group", 200, None),
        ("maja", "family", 200, None),
        ("emil", "group", 403, "not_admin"),
        ("emil", "family", 403, "not_admin"),
        ("maja", "self", 409, "not_group_conversation"),
        ("maja", "direct", 409, "not_group_conversation"),
    ],
)
async def test_only_permitted_roles_rename_a_conversation(
    app: RunningApp, who: str, kind: str, status: int, code: str | None
) -> None:
    async with app.http(getattr(app.home, who)) as client:
        answer = await client.patch(f"/conversations/{getattr(app.talks, kind)}", json={"name": " Nytt "})

    assert (answer.status_code, answer.json().get("code")) == (status, code)
    if status == 200:
        assert answer.json()["name"] == "Nytt"


@pytest.mark.parametrize("body", [{}, {"name": 1}, {"type": "direct"}, {"name": "x", "type": "direct"}, []])
async def test_nothing_but_a_name_can_change(app: RunningApp, body: Any) -> None:
    async with app.http(app.home.maja) as maja:
        await a_problem(await maja.patch(f"/conversations/{app.talks.group}", json=body), 422, "invalid_request")


async def test_a_new_conversation_is_announced_to_its_members_only(app: RunningApp) -> None:
    home = app.home
    people = [home.inga, home.nils, home.ada]
    async with app.connect(home.inga) as inga, app.connect(home.nils) as nils, app.connect(home.ada) as ada:
        for client, who in zip((inga, nils, ada), people, strict=True):
            await client.join(f"user:{who.user_id}")
        async with app.http(home.inga) as http:
            made = (await http.post("/conversations/direct", json={"user_id": home.nils.user_id})).json()

        for client, who in ((inga, home.inga), (nils, home.nils)):
            received = await client.assert_broadcast(f"user:{who.user_id}", "conversation_created")
            assert received.payload["conversation"]["id"] == made["id"]
        await ada.refute_broadcast(f"user:{home.ada.user_id}", "conversation_created")


async def test_a_new_name_is_announced_to_all_members(app: RunningApp) -> None:
    home = app.home
    async with app.connect(home.emil) as emil, app.http(home.maja) as maja:
        await emil.join(f"user:{home.emil.user_id}")
        await maja.patch(f"/conversations/{app.talks.group}", json={"name": "Nytt"})
        received = await emil.assert_broadcast(f"user:{home.emil.user_id}", "conversation_updated")

    assert (received.payload["conversation"]["name"], received.payload["conversation"]["id"]) == (
        "Nytt",
        app.talks.group,
    )


async def test_a_view_setting_is_announced_to_the_own_devices_only(app: RunningApp) -> None:
    home = app.home
    async with app.connect(home.emil) as emil, app.connect(home.maja) as maja, app.http(home.maja) as http:
        await emil.join(f"user:{home.emil.user_id}")
        await maja.join(f"user:{home.maja.user_id}")
        await http.put(f"/conversations/{app.talks.direct}/hidden")

        received = await maja.assert_broadcast(f"user:{home.maja.user_id}", "conversation_updated")
        assert received.payload["conversation"]["hidden"]
        await emil.refute_broadcast(f"user:{home.emil.user_id}", "conversation_updated")


async def test_admins_of_a_group_see_who_hid_it_and_hiding_is_emitted_once(
    app: RunningApp, emitted: list[Event]
) -> None:
    home, group = app.home, f"/conversations/{app.talks.group}"
    async with (
        app.http(home.maja) as maja,
        app.http(home.emil) as emil,
        app.http(home.inga) as inga,
        app.http(home.nils) as nils,
    ):
        for _ in range(2):
            assert (await emil.put(f"{group}/hidden")).json()["hidden_by_users"] == [home.emil.user_id]
        assert (await maja.get(group)).json()["hidden_by_users"] == [home.emil.user_id]
        assert (await inga.get(group)).json()["hidden_by_users"] == []
        assert (await nils.get(group)).status_code == 404
        await maja.post(f"{group}/messages", json={"body": "come back"})
        assert (await maja.get(group)).json()["hidden_by_users"] == []

    assert [event for event in emitted if isinstance(event, ConversationHidden)] == [
        ConversationHidden(conversation_id=app.talks.group, user_id=home.emil.user_id)
    ]


async def test_a_group_says_what_newcomers_see_of_it(app: RunningApp) -> None:
    home = app.home
    request = {"name": "Fika", "member_ids": [home.emil.user_id, home.inga.user_id], "history": "all"}
    async with app.http(home.maja) as maja:
        made = (await maja.post("/conversations/group", json=request)).json()
        found = [(await maja.get(f"/conversations/{each}")).json() for each in (app.talks.group, app.talks.family)]

    assert [made["history"], *(each["history"] for each in found)] == ["all", "joined", None]


async def test_every_route_requires_a_token(app: RunningApp) -> None:
    async with app.http() as no_one:
        for method, path in (
            ("GET", "/conversations"),
            ("POST", "/conversations/self"),
            ("GET", f"/conversations/{app.talks.direct}"),
            ("PUT", f"/conversations/{app.talks.direct}/hidden"),
        ):
            assert (await no_one.request(method, path)).status_code == 401
