"""Presence: section 8 of the protocol, on one node and on several."""

import asyncio
from typing import Any

from famichat.realtime import Channel, Presence, PubSub, Socket, TerminateReason
from famichat.realtime.presence import State
from tests.realtime.test_pubsub import Listener, Wire
from tests.support.channel_client import ChannelClient
from tests.support.room import Room, home
from tests.support.running import running


class Guest(Room):
    presence: Presence

    async def after_join(self) -> None:
        self.presence.track(self, str(self.socket.assigns), {"status": "here"})
        self.push("presence_state", self.presence.list(self.topic))

    async def handle_in(self, event: str, payload: Any) -> Any:
        if event == "update":
            self.presence.update(self, str(self.socket.assigns), payload)
            return None
        return await super().handle_in(event, payload)

    async def terminate(self, reason: TerminateReason) -> None:
        self.presence.untrack(self)
        await super().terminate(reason)


def guest(topic: str = "room:1") -> Channel:
    return Channel(Socket((), max_channels=1), topic)


def metas(state: State, key: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = state[key]["metas"]
    return found


async def test_rules_41_42_and_45_the_joiner_gets_its_own_diff_then_the_state() -> None:
    pubsub = PubSub()
    Guest.presence = Presence(pubsub)
    async with home(Guest, pubsub=pubsub) as served, ChannelClient.connect(served.url, "ann") as ann:
        await ann.join("room:1")
        state = await ann.assert_push("room:1", "presence_state")
        diff = await ann.assert_broadcast("room:1", "presence_diff")

        assert [frame.event for frame in ann.received] == ["phx_reply", "presence_diff", "presence_state"]
        assert (state.join_ref, state.ref) == ("1", None)
        assert (diff.join_ref, diff.ref) == (None, None)
        assert diff.payload == {"joins": state.payload, "leaves": {}}
        assert isinstance(metas(state.payload, "ann")[0]["phx_ref"], str)


async def test_rule_41_a_rejoin_gets_the_state_again() -> None:
    pubsub = PubSub()
    Guest.presence = Presence(pubsub)
    async with home(Guest, pubsub=pubsub) as served, ChannelClient.connect(served.url, "ann") as ann:
        await ann.join("room:1")
        first = await ann.assert_push("room:1", "presence_state")
        await ann.join("room:1")
        second = await ann.assert_push("room:1", "presence_state")

        assert second.join_ref == "2"
        assert len(metas(second.payload, "ann")) == 1
        assert metas(first.payload, "ann") != metas(second.payload, "ann")


async def test_rule_43_two_devices_are_two_metas_and_a_leave_lists_only_its_own() -> None:
    pubsub = PubSub()
    Guest.presence = Presence(pubsub)
    async with home(Guest, pubsub=pubsub) as served, ChannelClient.connect(served.url, "ann") as one:
        await one.join("room:1")
        own = metas((await one.assert_push("room:1", "presence_state")).payload, "ann")
        async with ChannelClient.connect(served.url, "ann") as two:
            await two.join("room:1")
            both = metas((await two.assert_push("room:1", "presence_state")).payload, "ann")
        await one.assert_broadcast("room:1", "presence_diff", {"leaves": {}})
        await one.assert_broadcast("room:1", "presence_diff", {"leaves": {}})
        left = await one.assert_broadcast("room:1", "presence_diff", {"joins": {}})

        assert len(both) == 2
        assert metas(left.payload["leaves"], "ann") == [meta for meta in both if meta not in own]
        assert metas(Guest.presence.list("room:1"), "ann") == own


async def test_rule_44_an_update_is_one_diff_that_names_the_older_ref() -> None:
    pubsub = PubSub()
    Guest.presence = Presence(pubsub)
    async with home(Guest, pubsub=pubsub) as served, ChannelClient.connect(served.url, "ann") as ann:
        await ann.join("room:1")
        old = metas((await ann.assert_push("room:1", "presence_state")).payload, "ann")[0]
        await ann.push("room:1", "update", {"status": "away"})
        await ann.assert_broadcast("room:1", "presence_diff", {"leaves": {}})
        diff = (await ann.assert_broadcast("room:1", "presence_diff")).payload

        assert metas(diff["leaves"], "ann") == [old]
        assert metas(diff["joins"], "ann")[0]["phx_ref_prev"] == old["phx_ref"]
        assert metas(diff["joins"], "ann")[0]["status"] == "away"


async def test_rule_45_leave_close_crash_and_loss_all_end_a_presence() -> None:
    pubsub = PubSub()
    Guest.presence = Presence(pubsub)
    async with home(Guest, pubsub=pubsub) as served:
        for end in ("phx_leave", "stop", "crash", None):
            async with ChannelClient.connect(served.url, "ann") as ann:
                await ann.join("room:1")
                await ann.assert_push("room:1", "presence_state")
                if end:
                    await ann.push("room:1", end)
        await served.until_left(4)

        assert Guest.presence.list("room:1") == {}
        assert Guest.presence._tracked == {}


def test_rule_43_extra_fields_go_into_state_and_diff_alike() -> None:
    pubsub, listener = PubSub(), Listener()
    pubsub.subscribe("room:1", listener)

    def named(_topic: str, state: State) -> State:
        return {key: {**value, "name": key.title()} for key, value in state.items()}

    presence = Presence(pubsub, fetch=named)
    presence.track(guest(), "ann", {})
    diff = listener.received[0].payload

    assert presence.list("room:1")["ann"]["name"] == "Ann"
    assert isinstance(diff, dict)
    assert diff["joins"]["ann"]["name"] == "Ann"


def test_untracking_an_untracked_presence_sends_nothing() -> None:
    pubsub, listener = PubSub(), Listener()
    pubsub.subscribe("room:1", listener)
    Presence(pubsub).untrack(guest())

    assert listener.received == []


def test_a_hidden_user_leaves_at_once_is_tracked_invisibly_and_can_return() -> None:
    pubsub, listener = PubSub(), Listener()
    pubsub.subscribe("room:1", listener)
    presence = Presence(pubsub)
    first, second, removed = guest(), guest(), guest()
    presence.track(first, "ann", {})
    presence.track(guest(), "ben", {})
    presence.set_hidden("ann", hidden=True)
    assert set(presence.list("room:1")) == {"ben"}
    presence.track(second, "ann", {})
    presence.track(removed, "ann", {})
    presence.update(second, "ann", {"status": "away"})
    presence.untrack(removed)
    presence.set_hidden("ann", hidden=True)
    assert [list(leaves) for leaves in _told(listener, "leaves")] == [[], [], ["ann"]]

    presence.set_hidden("ann", hidden=False)
    assert len(metas(presence.list("room:1"), "ann")) == len(("first", "second"))
    assert [list(joins) for joins in _told(listener, "joins")] == [["ann"], ["ben"], [], ["ann"]]


async def test_a_hidden_user_is_hidden_on_all_nodes() -> None:
    wire = Wire()
    here, there = (Presence(PubSub(wire.node())) for _ in range(2))
    async with running(here, there):
        await asyncio.sleep(0.02)
        here.track(guest(), "ann", {})
        there.track(guest(), "ann", {})
        here.set_hidden("ann", hidden=True)
        assert here.list("room:1") == there.list("room:1") == {}
        there.set_hidden("ann", hidden=False)
        here_and_there = len(metas(here.list("room:1"), "ann")), len(metas(there.list("room:1"), "ann"))
        assert here_and_there == (2, 2)


def _told(listener: Listener, what: str) -> list[Any]:
    return [broadcast.payload[what] for broadcast in listener.received if isinstance(broadcast.payload, dict)]


async def until(condition: Any) -> None:
    async with asyncio.timeout(3):
        while not condition():  # noqa: ASYNC110 - presence has no event for it
            await asyncio.sleep(0.005)


async def test_other_nodes_receive_joins_updates_and_leaves() -> None:
    wire = Wire()
    here, there = (Presence(PubSub(wire.node())) for _ in range(2))
    async with running(here, there):
        await asyncio.sleep(0.02)
        ann = guest()
        here.track(ann, "ann", {"status": "here"})
        assert there.list("room:1") == here.list("room:1") != {}
        here.update(ann, "ann", {"status": "away"})
        assert metas(there.list("room:1"), "ann")[0]["status"] == "away"
        here.untrack(ann)
        assert there.list("room:1") == {}


async def test_a_new_node_learns_the_current_presences() -> None:
    wire = Wire()
    pubsub, listener = PubSub(wire.node()), Listener()
    pubsub.subscribe("room:1", listener)
    here = Presence(pubsub)
    async with running(here):
        here.track(guest(), "ann", {})
        there = Presence(PubSub(wire.node()))
        there.track(guest(), "ben", {})
        async with running(there):
            await until(lambda: set(there.list("room:1")) == {"ann", "ben"} == set(here.list("room:1")))
            joins = [
                broadcast.payload["joins"] for broadcast in listener.received if isinstance(broadcast.payload, dict)
            ]

            assert [list(join) for join in joins] == [["ann"], ["ben"]]
        assert set(here.list("room:1")) == {"ann"}


async def test_a_change_that_was_missed_is_made_up_at_the_next_heartbeat() -> None:
    wire = Wire()
    here, there = (Presence(PubSub(wire.node()), heartbeat=0.02) for _ in range(2))
    async with running(here, there):
        await asyncio.sleep(0.05)
        hearers, wire.hearers[:] = list(wire.hearers), []
        removed, come = guest(), guest()
        here.track(removed, "ann", {})
        here.untrack(removed)
        here.track(come, "ben", {})
        wire.hearers[:] = hearers
        await until(lambda: set(there.list("room:1")) == {"ben"})


async def test_a_change_that_was_missed_is_made_up_at_the_next_change() -> None:
    wire = Wire()
    here, there = (Presence(PubSub(wire.node())) for _ in range(2))
    async with running(here, there):
        await asyncio.sleep(0.02)
        hearers, wire.hearers[:] = list(wire.hearers), []
        here.track(guest(), "ann", {})
        wire.hearers[:] = hearers
        here.track(guest(), "ben", {})

        assert set(there.list("room:1")) == {"ann", "ben"}


async def test_presences_of_a_dead_node_expire() -> None:
    wire = Wire()
    here, there = (Presence(PubSub(wire.node()), heartbeat=0.02, expiry=0.1) for _ in range(2))
    beating = asyncio.create_task(here._beat())  # without `run`, which would say goodbye
    async with running(there):
        await asyncio.sleep(0.05)
        here.track(guest(), "ann", {})
        assert set(there.list("room:1")) == {"ann"}
        beating.cancel()
        await until(lambda: there.list("room:1") == {})
