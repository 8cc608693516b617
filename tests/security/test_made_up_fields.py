"""Payloads cannot claim an identity or a type (S13), and must be strict JSON (S16, S17)."""

from typing import Any

from famichat.storage.base import new_id
from tests.support.app import RunningApp


async def test_the_sender_of_a_message_cannot_be_forged(app: RunningApp) -> None:
    home, topic = app.home, f"message:direct:{app.talks.direct}"
    claimed = {
        "message_id": new_id(),
        "conversation_id": app.talks.group,
        "seq": 99,
        "user_id": home.ada.user_id,
        "sender_id": home.ada.user_id,
        "device_id": home.ada.device_id,
        "inserted_at": "1999-01-01T00:00:00Z",
        "edited_at": "1999-01-01T00:00:00Z",
        "__proto__": {"admin": True},
        "constructor": "x",
    }
    async with app.connect(home.maja) as maja, app.connect(home.emil) as emil:
        await emil.join(topic)
        await maja.join(topic)
        sent = await maja.ask(topic, "new_msg", {"body": "x", **claimed})
        if sent.status == "ok":
            received = (await emil.assert_broadcast(topic, "new_msg")).payload
            assert not [name for name, value in claimed.items() if received.get(name, received) == value]
            assert (received["user_id"], received["device_id"], received["seq"]) == (
                home.maja.user_id,
                home.maja.device_id,
                1,
            )
        else:
            assert sent.response["reason"] == "invalid_message"


async def test_unknown_fields_do_not_change_a_conversation(app: RunningApp) -> None:
    path = f"/conversations/{app.talks.group}"
    async with app.http(app.home.maja) as maja:
        before = (await maja.get(path)).json()
        for field in ("type", "role", "family_id", "created_at", "epoch", "last_seq", "members", "encryption_policy"):
            answer = await maja.patch(path, json={"name": "x", field: "family"})
            assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request"), field
        after = (await maja.get(path)).json()

    assert after == before


NOT_STRICT = [
    '{"body": NaN}', '{"body": "x", "reply_to": Infinity}', '{"body": "x", "body": "y"}', '{"body": "\\ud800"}',
    '{"body": "a\\u0000b"}', '{"body": "x", "seq": 9007199254740993}', '{"body": ' + "[" * 40 + "]" * 40 + "}",
    '{"body": "x",}', '{"body": "x"} {}', '{"body": 1e999}', "",
]  # fmt: skip


async def test_both_databases_refuse_the_same_json_on_every_entrance(app: RunningApp) -> None:
    """The expected answers are written here once, and this runs on each kind of database."""
    topic = f"message:direct:{app.talks.direct}"
    path = f"/conversations/{app.talks.direct}/messages"
    as_json = {"content-type": "application/json"}
    got: dict[str, Any] = {}
    async with app.http(app.home.maja) as http:
        for text in NOT_STRICT:
            answer = await http.post(path, content=text, headers=as_json)
            got[text] = (answer.status_code, answer.json()["code"])
        sent_message = (await http.get(path)).json()["messages"]
    # Valid JSON with invalid values gets the same result by frame and by request.
    async with app.connect(app.home.maja) as maja:
        await maja.join(topic)
        odd: list[dict[str, Any]] = [{"client_id": 1.5}, {"reply_to": 7}, {"body": True}, {"key_id": {}}]
        reasons = [(await maja.ask(topic, "new_msg", {"body": "x"} | each)).response["reason"] for each in odd]

    assert got.pop("")[0] in (400, 422)
    assert set(got.values()) == {(400, "invalid_json")}, got
    assert sent_message == []
    assert set(reasons) <= {"invalid_message", "invalid_encryption_metadata"}
