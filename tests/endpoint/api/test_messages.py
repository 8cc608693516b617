"""Messages over HTTP: the same send and the same pages as on the socket."""

import asyncio
from typing import Any

import pytest

from famichat.storage.base import new_id
from tests.support.app import RunningApp

FIELDS = {
    "message_id", "conversation_id", "seq", "user_id", "device_id", "message_type", "body", "client_id", "reply_to",
    "inserted_at", "edited_at", "deleted_at", "deleted_by", "encryption_flag", "encryption_version", "key_id",
    "protocol", "epoch", "sender_device_id", "reactions", "change", "attachments",
}  # fmt: skip


def path_of(app: RunningApp, kind: str = "direct") -> str:
    return f"/conversations/{getattr(app.talks, kind)}/messages"


@pytest.mark.parametrize("kind", ["self", "direct", "group", "family"])
async def test_a_sent_message_is_returned_and_read_in_the_same_form(app: RunningApp, kind: str) -> None:
    async with app.http(app.home.maja) as maja:
        sent = await maja.post(path_of(app, kind), json={"body": "hej"})
        page = (await maja.get(path_of(app, kind))).json()

    assert sent.status_code == 201
    assert sent.json().keys() == FIELDS
    assert (sent.json()["seq"], sent.json()["body"]) == (1, "hej")
    assert page == {"messages": [sent.json()], "has_more": False}


async def test_a_repeat_returns_the_first_message_and_is_not_broadcast(app: RunningApp) -> None:
    body = {"body": "hej", "client_id": "c1"}
    topic = f"message:direct:{app.talks.direct}"
    async with app.connect(app.home.emil) as emil, app.http(app.home.maja) as maja:
        await emil.join(topic)
        answers = [await maja.post(path_of(app), json=body) for _ in range(3)]
        other = await maja.post(path_of(app), json={**body, "body": "nej"})

        await emil.assert_broadcast(topic, "new_msg", answers[0].json())
        await emil.refute_broadcast(topic, "new_msg")
    assert [answer.status_code for answer in answers] == [201, 200, 200]
    assert answers[1].json() == answers[2].json() == answers[0].json()
    assert (other.status_code, other.json()["code"]) == (409, "conflict")


async def test_an_encrypted_message_keeps_its_envelope(app: RunningApp) -> None:
    envelope = {"encryption_flag": True, "encryption_version": "v1.0.0", "key_id": "KEY_FAMILY_v1"}
    tagged = {"encryption_flag": True, "version_tag": "v1.0.0", "key_id": "KEY_FAMILY_v1"}
    async with app.http(app.home.maja) as maja:
        answers = [await maja.post(path_of(app), json={"body": "9d_x", **each}) for each in (envelope, tagged)]

    for answer in answers:
        assert {field: answer.json()[field] for field in envelope} == envelope
        assert answer.json()["body"] == "9d_x"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"body": ""}, 422, "invalid_message"),
        ({"body": "x" * (64 * 1024 + 1)}, 413, "message_too_large"),
        ({"body": "å" * (32 * 1024 + 1)}, 413, "message_too_large"),
        ({"body": "x", "reply_to": "nothing"}, 422, "invalid_message"),
        ({"body": "x", "reply_to": new_id()}, 422, "invalid_message"),
        ({"body": "x", "client_id": ""}, 422, "invalid_message"),
        ({"body": "x", "message_type": "No Type"}, 422, "invalid_message"),
        ({"body": "x", "encryption_flag": True}, 422, "invalid_encryption_metadata"),
        ({"body": "x", "encryption_flag": "true"}, 422, "invalid_request"),
        ({"body": 1}, 422, "invalid_request"),
        ({}, 422, "invalid_request"),
        ({"body": "x", "seq": 1}, 422, "invalid_request"),
    ],
)
async def test_an_invalid_message_is_refused_and_not_stored(
    app: RunningApp, body: dict[str, Any], status: int, code: str
) -> None:
    async with app.http(app.home.maja) as maja:
        answer = await maja.post(path_of(app), json=body)
        page = (await maja.get(path_of(app))).json()

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert page["messages"] == []


@pytest.mark.parametrize("raw", [b'{"body": "\\ud800"}', b'{"body": "a\\u0000b"}', b'{"body": "x", "body": "y"}', b"{"])
async def test_json_that_is_not_strict_is_refused(app: RunningApp, raw: bytes) -> None:
    async with app.http(app.home.maja) as maja:
        answer = await maja.post(path_of(app), content=raw, headers={"content-type": "application/json"})

    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_json")


async def test_pages_go_forward_and_back(app: RunningApp) -> None:
    async with app.http(app.home.maja) as maja:
        for n in range(1, 6):
            await maja.post(path_of(app), json={"body": str(n)})

        async def page(**query: int) -> tuple[list[int], bool]:
            found = (await maja.get(path_of(app), params=query)).json()
            return [each["seq"] for each in found["messages"]], found["has_more"]

        assert await page() == ([1, 2, 3, 4, 5], False)
        assert await page(limit=2) == ([4, 5], True)
        assert await page(after_seq=1, limit=2) == ([2, 3], True)
        assert await page(after_seq=3) == ([4, 5], False)
        assert await page(before_seq=3) == ([1, 2], False)
        assert await page(before_seq=5, limit=3) == ([2, 3, 4], True)
        assert await page(after_seq=5) == ([], False)


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"after_seq": "1", "before_seq": "3"}, "invalid_message"),
        ({"after_seq": "-1"}, "invalid_request"),
        ({"before_seq": "x"}, "invalid_request"),
        ({"after_seq": "9" * 30}, "invalid_request"),
        ({"limit": "0"}, "invalid_request"),
        ({"limit": "1.0"}, "invalid_request"),
        ({"limit": "1_0"}, "invalid_request"),
        ({"after_seq": " 1"}, "invalid_request"),
        ({"after_seq": "\uff11"}, "invalid_request"),
        ({"before_seq": "1\0"}, "invalid_request"),
    ],
)
async def test_an_invalid_page_is_refused(app: RunningApp, query: dict[str, str], code: str) -> None:
    async with app.http(app.home.maja) as maja:
        answer = await maja.get(path_of(app), params=query)

    assert (answer.status_code, answer.json()["code"]) == (422, code)


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_conversation_is_not_found_for_an_outsider(app: RunningApp, method: str) -> None:
    body = {"body": "hej"} if method == "POST" else None
    answers = set()
    for who, conversation_id in (
        (app.home.ada, app.talks.direct),
        (app.home.inga, app.talks.direct),
        (app.home.maja, new_id()),
        (app.home.maja, "malformed"),
    ):
        async with app.http(who) as client:
            answer = await client.request(method, f"/conversations/{conversation_id}/messages", json=body)
            answers.add((answer.status_code, answer.content))

    assert len(answers) == 1
    assert next(iter(answers))[0] == 404


async def test_concurrent_messages_get_one_seq_each(app: RunningApp) -> None:
    async with app.http(app.home.maja) as maja, app.http(app.home.emil) as emil:
        answers = await asyncio.gather(
            *(client.post(path_of(app), json={"body": f"{n}"}) for n in range(20) for client in (maja, emil))
        )
        page = (await maja.get(path_of(app))).json()

    assert sorted(answer.json()["seq"] for answer in answers) == list(range(1, 41))
    assert {each["message_id"] for each in page["messages"]} == {each.json()["message_id"] for each in answers}
