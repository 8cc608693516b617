"""Edits, deletions and reactions reach all members, live or on the next join."""

import asyncio
from typing import Any

import pytest

from famichat.storage.base import new_id
from tests.support.app import RunningApp
from tests.support.channel_client import ChannelClient

ENVELOPE = {"encryption_flag": True, "encryption_version": "v1", "key_id": "k"}


def topic_of(app: RunningApp, kind: str = "group") -> str:
    return f"message:{kind}:{getattr(app.talks, kind)}"


async def sent(client: ChannelClient, topic: str, body: str = "hej") -> str:
    message_id: str = (await client.ask(topic, "new_msg", {"body": body})).response["message_id"]
    return message_id


async def test_all_members_including_the_sender_receive_the_changed_message(app: RunningApp) -> None:
    topic = topic_of(app)
    async with app.connect(app.home.maja) as maja, app.connect(app.home.emil) as emil, app.http(app.home.inga) as inga:
        for client in (maja, emil):
            await client.join(topic)
        message_id = await sent(emil, topic)
        for actor, event, rest in (
            (emil, "edit_msg", {"body": "hejsan"}),
            (maja, "react", {"emoji": "❤"}),
            (maja, "delete_msg", {}),
        ):
            answer = await actor.ask(topic, event, {"message_id": message_id, **rest})
            assert (answer.status, answer.response) == ("ok", {})

        received_events: list[dict[str, Any]] = []
        for client in (maja, emil):
            received_events = [(await client.assert_broadcast(topic, "message_updated")).payload for _ in range(3)]
            assert [each["change"] for each in received_events] == [1, 2, 3]
            assert [each["body"] for each in received_events] == ["hejsan", "hejsan", None]
            assert [len(each["reactions"]) for each in received_events] == [0, 1, 0]
            assert [each["deleted_by"] for each in received_events] == [None, None, app.home.maja.user_id]
        page = (await inga.get(f"/conversations/{app.talks.group}/messages")).json()
    assert page["messages"] == [received_events[-1]]


async def test_a_change_without_effect_is_answered_and_not_broadcast(app: RunningApp) -> None:
    topic = topic_of(app)
    async with app.connect(app.home.emil) as emil:
        await emil.join(topic)
        message_id = await sent(emil, topic)
        for event, rest in (("edit_msg", {"body": "hej"}), ("react", {"emoji": None})):
            assert (await emil.ask(topic, event, {"message_id": message_id, **rest})).response == {}

        await emil.refute_broadcast(topic, "message_updated")


@pytest.mark.parametrize(
    ("event", "payload", "refusal"),
    [
        ("edit_msg", {"body": "x"}, {"reason": "invalid_message", "details": {"field": "message_id"}}),
        ("edit_msg", {"message_id": 1, "body": "x"}, {"reason": "invalid_message", "details": {"field": "message_id"}}),
        ("edit_msg", {"message_id": "no id", "body": "x"}, {"reason": "not_found"}),
        ("delete_msg", {"message_id": new_id()}, {"reason": "not_found"}),
        ("react", {"message_id": new_id()}, {"reason": "invalid_message", "details": {"field": "emoji"}}),
        ("react", {"message_id": new_id(), "emoji": "❤"}, {"reason": "not_found"}),
        ("edit_msg", {"message_id": "theirs", "body": "x"}, {"reason": "not_sender"}),
        ("delete_msg", {"message_id": "theirs"}, {"reason": "not_sender"}),
        ("edit_msg", {"message_id": "deleted", "body": "x"}, {"reason": "message_deleted"}),
        ("react", {"message_id": "deleted", "emoji": "❤"}, {"reason": "message_deleted"}),
        ("fetch_changes", {"after_change": -1}, {"reason": "invalid_message", "details": {"field": "after_change"}}),
    ],
)
async def test_a_refused_change_has_a_stable_code(
    app: RunningApp, event: str, payload: dict[str, Any], refusal: dict[str, Any]
) -> None:
    topic = topic_of(app)
    async with app.connect(app.home.maja) as maja, app.connect(app.home.emil) as emil:
        for client in (maja, emil):
            await client.join(topic)
        named = {"theirs": await sent(maja, topic), "deleted": await sent(emil, topic)}
        await emil.ask(topic, "delete_msg", {"message_id": named["deleted"]})
        asked = {name: named.get(value, value) if isinstance(value, str) else value for name, value in payload.items()}
        answer = await emil.ask(topic, event, asked)

    assert (answer.status, answer.response) == ("error", refusal)


async def test_resending_a_deleted_message_gets_the_first_reply(app: RunningApp) -> None:
    topic, message = topic_of(app), {"body": "oops", "client_id": "c1"}
    async with app.connect(app.home.emil) as emil:
        await emil.join(topic)
        first = (await emil.ask(topic, "new_msg", message)).response
        await emil.ask(topic, "delete_msg", {"message_id": first["message_id"]})
        again = await emil.ask(topic, "new_msg", message)
        other = await emil.ask(topic, "new_msg", {**message, "body": "another"})

    assert (again.status, again.response) == ("ok", first)
    assert other.response == {"reason": "conflict"}


async def test_an_encrypted_reaction_is_carried_as_it_came(app: RunningApp) -> None:
    topic = topic_of(app)
    async with app.connect(app.home.maja) as maja, app.connect(app.home.emil) as emil:
        for client in (maja, emil):
            await client.join(topic)
        secret = {"message_id": await sent(emil, topic), "emoji": "q83vASNFZ4k", **ENVELOPE}
        assert (await maja.ask(topic, "react", secret)).status == "ok"
        [reaction] = (await emil.assert_broadcast(topic, "message_updated")).payload["reactions"]

    unsaid = dict.fromkeys(("protocol", "epoch", "sender_device_id"))
    assert reaction == {"user_id": app.home.maja.user_id, "emoji": "q83vASNFZ4k", **ENVELOPE, **unsaid}


async def test_a_rejoin_brings_what_has_changed_meanwhile(app: RunningApp) -> None:
    topic = topic_of(app)
    async with app.connect(app.home.maja) as maja, app.connect(app.home.emil) as emil:
        joined = await maja.join(topic)
        await emil.join(topic)
        first, second = await sent(emil, topic, "one"), await sent(emil, topic, "two")
        await emil.ask(topic, "edit_msg", {"message_id": first, "body": "uno"})
        await maja.leave(topic)
        third = await sent(emil, topic, "three")
        for message_id in (first, second, third):
            await emil.ask(topic, "react", {"message_id": message_id, "emoji": "❤"})
        found = await maja.join(topic, {"last_seq": 2, "last_change": 1, "epoch": joined["epoch"]})

        assert (joined["last_change"], joined["changes"], joined["has_more_changes"]) == (0, [], False)
        assert [(each["seq"], each["change"]) for each in found["changes"]] == [(1, 2), (2, 3)]
        assert [(each["seq"], each["change"]) for each in found["messages"]] == [(3, 4)]
        assert (found["last_change"], found["has_more_changes"], found["recovered"]) == (4, False, True)
        assert found["conversation"]["last_change"] == 4
        feed = (await maja.ask(topic, "fetch_changes", {"after_change": 1, "limit": 2})).response
        assert [each["change"] for each in feed["changes"]] == [2, 3]
        assert (feed["has_more"], feed["last_change"]) == (True, 4)


async def test_a_new_member_receives_no_changes_to_earlier_messages(app: RunningApp) -> None:
    topic = topic_of(app)
    async with app.connect(app.home.maja) as maja, app.connect(app.home.nils) as nils, app.http(app.home.maja) as http:
        await maja.join(topic)
        before = await sent(maja, topic, "before Nils")
        await http.post(f"/conversations/{app.talks.group}/members", json={"user_id": app.home.nils.user_id})
        await nils.join(topic)
        after = await sent(maja, topic, "after")
        for message_id in (before, after):
            await maja.ask(topic, "react", {"message_id": message_id, "emoji": "❤"})

        received_events = await nils.assert_broadcast(topic, "message_updated")
        assert received_events.payload["message_id"] == after
        await nils.heartbeat()
        assert before not in repr(nils.received)
        refused = await nils.ask(topic, "react", {"message_id": before, "emoji": "❤"})
        assert refused.response == {"reason": "not_found"}
        unseen = await nils.ask(topic, "new_msg", {"body": "what was that?", "reply_to": before})
        assert unseen.response == {"reason": "invalid_message", "details": {"field": "reply_to"}}
        assert (await nils.ask(topic, "new_msg", {"body": "I see", "reply_to": after})).status == "ok"


async def test_joining_while_others_change_misses_nothing(app: RunningApp) -> None:
    topic = topic_of(app)
    async with app.connect(app.home.maja) as maja, app.connect(app.home.emil) as emil:
        await maja.join(topic)
        message_id = await sent(maja, topic)
        changing = asyncio.create_task(_react_often(maja, topic, message_id, 40))
        position, seen = 0, {0}
        while not changing.done():
            joined = await emil.join(topic, {"last_seq": 1, "last_change": position})
            seen |= {each["change"] for each in joined["changes"]}
            assert joined["last_change"] >= position
            position = joined["last_change"]
            await asyncio.sleep(0.01)
        await changing
        await emil.heartbeat()
        live = [frame.payload["change"] for frame in emil.received if frame.event == "message_updated"]

    assert live == sorted(set(live)), "each once, in order, and none that the join had told"
    assert max(*live, *seen) == 40


async def _react_often(client: ChannelClient, topic: str, message_id: str, times: int) -> None:
    for number in range(times):
        assert (await client.ask(topic, "react", {"message_id": message_id, "emoji": f"{number}"})).status == "ok"
