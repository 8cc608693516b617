"""Broadcasts reach the intended users only and respect the privacy settings."""

import asyncio
from typing import Any

import pytest

from famichat.actions.events.unread import DELAY_SECONDS
from tests.factories.people import PASSWORD, Person
from tests.support.app import RunningApp
from tests.support.channel_client import ChannelClient, Frame

pytestmark = pytest.mark.asyncio(loop_scope="module")


def topic_of(app: RunningApp) -> str:
    return f"message:direct:{app.talks.direct}"


async def choose(app: RunningApp, who: Person, **notices: bool) -> None:
    async with app.http(who) as http:
        chosen = await http.patch("/me/notices", json=notices)
        assert chosen.json() == (await http.get("/me")).json()["notices"]
        assert chosen.json() == {"read": True, "typing": True, "presence": True, **notices}


async def second_device(app: RunningApp, who: Person) -> Person:
    async with app.http() as http:
        session = (await http.post("/sessions", json={"username": who.username, "password": PASSWORD})).json()
    return Person(who.user_id, session["device_id"], who.username)


def received_events(client: ChannelClient, event: str) -> list[Frame]:
    return [frame for frame in client.received if frame.event == event]


def coalesced(client: ChannelClient, seq: int) -> set[str]:
    """Return the statuses of one message that a client has received in `message_statuses` events."""
    statuses = [each for frame in received_events(client, "message_statuses") for each in frame.payload["statuses"]]
    return {each["status"] for each in statuses if each["seq"] == seq}


async def settle(client: ChannelClient) -> None:
    """Wait until all pending events, including delayed ones, have arrived."""
    await asyncio.sleep(3 * DELAY_SECONDS)
    await client.heartbeat()


async def test_with_read_receipts_off_only_the_own_devices_receive_them(shared_app: RunningApp) -> None:
    app, topic = shared_app, topic_of(shared_app)
    emils_tablet = await second_device(app, app.home.emil)
    async with app.connect(app.home.maja) as maja, app.connect(app.home.emil) as emil, app.connect(emils_tablet) as own:
        for client in (maja, emil, own):
            await client.join(topic)
        sent = (await maja.ask(topic, "new_msg", {"body": "did you see this?"})).response
        before = len(received_events(maja, "message_status"))
        await choose(app, app.home.emil, read=False)
        await emil.ask(topic, "message_ack", {"seq": sent["seq"], "status": "read"})

        reported = await own.assert_broadcast(topic, "message_status", {"user_id": app.home.emil.user_id})
        assert (reported.payload["status"], reported.payload["seq"]) == ("read", sent["seq"])
        received = await maja.assert_broadcast(topic, "message_status")
        assert received.payload["status"] == "delivered"
        next_one = (await maja.ask(topic, "new_msg", {"body": "and this?"})).response
        await emil.ask(topic, "message_ack", {"seq": next_one["seq"], "status": "delivered"})
        await maja.assert_broadcast(topic, "message_status", {"status": "delivered", "seq": next_one["seq"]})
        await emil.ask(topic, "message_ack", {"seq": next_one["seq"], "status": "read"})
        await settle(maja)
        assert len(received_events(maja, "message_status")) == before + 2, (
            "reading what was received is no news for others"
        )
        assert await read_by_emil(app, app.home.maja) == {0}
        assert max(await read_by_emil(app, emils_tablet)) == next_one["seq"]

        await choose(app, app.home.emil, read=True)
        last = (await maja.ask(topic, "new_msg", {"body": "and now?"})).response
        await emil.ask(topic, "message_ack", {"seq": last["seq"], "status": "read"})
        await maja.assert_broadcast(topic, "message_status", {"status": "read", "seq": last["seq"]})


async def test_with_read_receipts_off_coalesced_receipts_reveal_no_more(shared_app: RunningApp) -> None:
    app, topic = shared_app, topic_of(shared_app)
    supports = {"message_statuses": True}
    emils_tablet = await second_device(app, app.home.emil)
    async with app.connect(app.home.maja) as maja, app.connect(app.home.emil) as emil, app.connect(emils_tablet) as own:
        for client in (maja, emil, own):
            await client.join(topic, supports)
        sent = (await maja.ask(topic, "new_msg", {"body": "did you see this?"})).response
        await choose(app, app.home.emil, read=False)
        await emil.ask(topic, "message_ack", {"seq": sent["seq"], "status": "delivered"})
        await emil.ask(topic, "message_ack", {"seq": sent["seq"], "status": "read"})

        await maja.assert_broadcast(topic, "message_statuses")
        await settle(own)
        await settle(maja)
        assert coalesced(maja, sent["seq"]) == {"delivered"}
        assert coalesced(own, sent["seq"]) == {"delivered", "read"}
        assert not received_events(maja, "message_status"), (
            "a client that supports the other event does not get this one"
        )
        await choose(app, app.home.emil, read=True)


async def read_by_emil(app: RunningApp, who: Person) -> set[int]:
    """Return the `read_seq` values of Emil's devices in the join reply of a user."""
    async with app.connect(who) as client:
        joined = await client.join(topic_of(app))
    return {each["read_seq"] for each in joined["receipts"] if each["user_id"] == app.home.emil.user_id}


async def test_with_typing_indicators_off_only_the_own_other_devices_receive_them(shared_app: RunningApp) -> None:
    app, topic = shared_app, topic_of(shared_app)
    emils_tablet = await second_device(app, app.home.emil)
    async with app.connect(app.home.maja) as maja, app.connect(app.home.emil) as emil, app.connect(emils_tablet) as own:
        for client in (maja, emil, own):
            await client.join(topic)
        await choose(app, app.home.emil, typing=False)
        await emil.push(topic, "typing", {"typing": True})
        await own.assert_broadcast(topic, "typing", {"user_id": app.home.emil.user_id, "typing": True})
        await maja.push(topic, "typing", {"typing": True})
        await emil.assert_broadcast(topic, "typing", {"user_id": app.home.maja.user_id})

        await settle(maja)
        assert not received_events(maja, "typing")
        assert not received_events(emil, "typing")[1:], "the sender does not receive its own event"
        await choose(app, app.home.emil, typing=True)
        await emil.push(topic, "typing", {"typing": True})
        await maja.assert_broadcast(topic, "typing", {"user_id": app.home.emil.user_id})


async def test_with_presence_off_a_user_appears_offline(shared_app: RunningApp) -> None:
    app, topic, emil_id = shared_app, topic_of(shared_app), shared_app.home.emil.user_id
    async with app.connect(app.home.emil) as emil, app.connect(app.home.maja) as maja:
        await emil.join(topic)
        await emil.assert_push(topic, "presence_state")
        await maja.join(topic)
        assert emil_id in (await maja.assert_push(topic, "presence_state")).payload
        await settle(maja)
        earlier = len(diffs(maja))  # of people who joined or left shortly before
        await choose(app, app.home.emil, presence=False)
        await emil.leave(topic)
        await emil.join(topic)
        assert emil_id not in (await emil.assert_push(topic, "presence_state")).payload
        await settle(maja)
        assert [(list(diff["joins"]), list(diff["leaves"])) for diff in diffs(maja)[earlier:]] == [([], [emil_id])]
        await choose(app, app.home.emil, presence=True)
        await settle(maja)
        assert list(diffs(maja)[-1]["joins"]) == [emil_id]


def diffs(client: ChannelClient) -> list[dict[str, Any]]:
    return [frame.payload for frame in received_events(client, "presence_diff")]


async def test_reading_updates_the_unread_count_on_the_own_devices_only(shared_app: RunningApp) -> None:
    app, topic = shared_app, topic_of(shared_app)
    emils_tablet = await second_device(app, app.home.emil)
    async with app.connect(app.home.maja) as maja, app.connect(app.home.emil) as emil, app.connect(emils_tablet) as own:
        await emil.join(topic)
        for client, who in ((maja, app.home.maja), (own, emils_tablet)):
            await client.join(f"user:{who.user_id}")
        async with app.http(app.home.maja) as http:
            sent = (await http.post(f"/conversations/{app.talks.direct}/messages", json={"body": "hej"})).json()
        news = {"conversation_id": app.talks.direct, "last_seq": sent["seq"]}
        await own.assert_push(f"user:{app.home.emil.user_id}", "unread", news)
        await maja.assert_push(f"user:{app.home.maja.user_id}", "unread", {**news, "unread": 0})

        await emil.ask(topic, "message_ack", {"seq": sent["seq"], "status": "delivered"})
        await emil.ask(topic, "message_ack", {"seq": sent["seq"], "status": "read"})
        await own.assert_push(f"user:{app.home.emil.user_id}", "unread", {**news, "unread": 0})
        await settle(maja)

    assert len(received_events(maja, "unread")) == 1
    assert len(received_events(own, "unread")) == 2, "what was only received is as unread as before"
