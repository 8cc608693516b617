"""The channel of a user: new messages and acknowledgements of conversations that the client has not joined."""

from pathlib import Path
from typing import Any

import pytest

from famichat.actions.events import head_broadcaster
from tests.support.app import RunningApp, running_app


async def test_a_client_learns_the_newest_message_of_a_conversation_that_it_has_not_joined(app: RunningApp) -> None:
    user, direct = f"user:{app.home.maja.user_id}", app.talks.direct
    async with app.connect(app.home.maja) as maja, app.http(app.home.emil) as emil:
        await maja.join(user, {"last_messages": True})

        sent = (await emil.post(f"/conversations/{direct}/messages", json={"body": "hej"})).json()
        told = (await maja.assert_broadcast(user, "last_message")).payload
        await emil.patch(f"/conversations/{direct}/messages/{sent['message_id']}", json={"body": "hopp"})
        changed = (await maja.assert_broadcast(user, "last_message")).payload

    assert told == {"conversation_id": direct, "type": "direct", "message": sent}
    assert (changed["message"]["seq"], changed["message"]["body"]) == (1, "hopp")


async def test_a_change_of_an_earlier_message_is_not_its_conversations_newest_message(app: RunningApp) -> None:
    user, messages = f"user:{app.home.maja.user_id}", f"/conversations/{app.talks.direct}/messages"
    async with app.connect(app.home.maja) as maja, app.http(app.home.emil) as emil:
        first = (await emil.post(messages, json={"body": "one"})).json()
        await emil.post(messages, json={"body": "two"})
        await maja.join(user, {"last_messages": True})
        while (await maja.assert_broadcast(user, "last_message")).payload["message"]["body"] != "two":
            pass

        await emil.patch(f"{messages}/{first['message_id']}", json={"body": "three"})
        await emil.post(f"/conversations/{app.talks.group}/messages", json={"body": "later"})
        told = (await maja.assert_broadcast(user, "last_message")).payload

    assert told["message"]["body"] == "later"


async def test_a_client_that_joined_the_conversation_or_does_not_ask_gets_no_newest_message(app: RunningApp) -> None:
    user, topic = f"user:{app.home.maja.user_id}", f"message:direct:{app.talks.direct}"
    async with app.connect(app.home.maja) as joined, app.connect(app.home.maja) as old, app.http(app.home.emil) as emil:
        await joined.join(user, {"last_messages": True})
        await joined.join(topic)
        await old.join(user)

        await emil.post(f"/conversations/{app.talks.direct}/messages", json={"body": "hej"})
        await joined.assert_broadcast(topic, "new_msg")
        for client in (joined, old):  # `last_message` would come before `unread`
            assert (await client.assert_broadcast(user, "unread")).payload["unread"] == 1
            await client.refute_broadcast(user, "last_message", within=0)


async def test_one_event_acknowledges_messages_of_several_conversations(app: RunningApp) -> None:
    user = f"user:{app.home.maja.user_id}"
    topics = [f"message:direct:{app.talks.direct}", f"message:group:{app.talks.group}"]
    async with app.connect(app.home.maja) as maja, app.connect(app.home.emil) as emil:
        for topic in topics:
            await emil.join(topic)
            await emil.ask(topic, "new_msg", {"body": "hej"})
        await maja.join(user)

        lost = {"topic": f"message:direct:{app.talks.family}", "seq": 1}
        reply = await maja.ask(user, "message_acks", {"acks": [lost, *({"topic": each, "seq": 1} for each in topics)]})

        assert (reply.status, reply.response) == ("ok", {})
        for topic in topics:
            status = (await emil.assert_broadcast(topic, "message_status")).payload
            assert (status["user_id"], status["status"], status["seq"]) == (app.home.maja.user_id, "delivered", 1)


@pytest.mark.parametrize(
    "acks",
    [None, [], [7], [{"seq": 1}], [{"topic": "room:lobby", "seq": 1}], [{"topic": "message:direct:x", "seq": "one"}]],
)
async def test_malformed_acknowledgements_are_refused(app: RunningApp, acks: object) -> None:
    user = f"user:{app.home.maja.user_id}"
    async with app.connect(app.home.maja) as maja:
        await maja.join(user)

        reply = await maja.ask(user, "message_acks", {"acks": acks})

    assert (reply.status, reply.response["reason"]) == ("error", "invalid_message")


async def test_an_acknowledgement_beyond_the_newest_message_is_refused(app: RunningApp) -> None:
    user = f"user:{app.home.maja.user_id}"
    async with app.connect(app.home.maja) as maja:
        await maja.join(user)

        acks = {"acks": [{"topic": f"message:direct:{app.talks.direct}", "seq": 9}]}
        reply = await maja.ask(user, "message_acks", acks)

    assert (reply.status, reply.response["reason"]) == ("error", "invalid_message")


async def test_the_positions_of_all_conversations_come_in_one_frame_to_a_client_that_wants_them_so(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(head_broadcaster, "EVERY_SECONDS", 0.2)
    async with running_app(database_url, tmp_path) as app:
        user = f"user:{app.home.maja.user_id}"
        topics = {
            f"message:direct:{app.talks.direct}": app.talks.direct,
            f"message:group:{app.talks.group}": app.talks.group,
        }
        async with app.connect(app.home.maja) as maja, app.connect(app.home.emil) as emil:
            await maja.join(user, {"heads": True})
            for topic in topics:
                await maja.join(topic)
                await emil.join(topic)
            for topic in topics:
                await emil.ask(topic, "new_msg", {"body": "hej"})
            heads: dict[str, Any] = {}
            while {each: head["last_seq"] for each, head in heads.items()} != dict.fromkeys(topics.values(), 1):
                heads = (await maja.assert_broadcast(user, "heads")).payload["heads"]

            for topic in topics:
                await maja.refute_broadcast(topic, "head", within=0)
                await emil.assert_broadcast(topic, "head", heads[topics[topic]])
            await maja.leave(user)
            await emil.ask(topic, "new_msg", {"body": "hopp"})
            await maja.assert_broadcast(topic, "head", {"last_seq": 2})


async def test_a_join_with_malformed_support_is_refused(app: RunningApp) -> None:
    async with app.connect(app.home.maja) as maja:
        for name in ("last_messages", "heads"):
            refused = await maja.join(f"user:{app.home.maja.user_id}", {name: "yes"}, status="error")
            assert refused == {"reason": "invalid_message", "details": {"field": name}}
