"""Diffs of presence: the first change immediately, later ones together."""

import asyncio
from typing import Any

from famichat.realtime import Presence, PubSub
from famichat.realtime.presence_diffs import Entries, PresenceDiffs, PresenceEntry
from tests.realtime.test_presence import guest
from tests.realtime.test_pubsub import Listener

TOPIC = "room:1"
PERIOD = 0.02


def entry(ref: str) -> PresenceEntry:
    return PresenceEntry(TOPIC, f"user {ref}", ref, {"phx_ref": ref})


class Diffs(PresenceDiffs):
    """Records the refs of every diff."""

    def __init__(self, period: float = PERIOD) -> None:
        super().__init__(self.record, period)
        self.sent: list[tuple[set[str], set[str]]] = []

    def record(self, topic: str, joins: Entries, leaves: Entries) -> None:
        assert topic == TOPIC
        self.sent.append(({each.ref for each in joins}, {each.ref for each in leaves}))

    async def until_idle(self) -> None:
        while self._waiting:  # noqa: ASYNC110 - it has no event for this
            await asyncio.sleep(self._period)


async def test_the_first_change_is_sent_immediately_and_the_next_ones_in_one_diff() -> None:
    diffs = Diffs()
    diffs.add(TOPIC, [entry("1")], [])
    assert diffs.sent == [({"1"}, set())]

    for ref in ("2", "3"):
        diffs.add(TOPIC, [entry(ref)], [])
    diffs.add(TOPIC, [], [entry("1")])
    assert len(diffs.sent) == 1

    await diffs.until_idle()
    assert diffs.sent[1:] == [({"2", "3"}, {"1"})]


async def test_the_last_change_of_an_entry_is_sent_because_a_state_may_have_contained_the_one_before() -> None:
    diffs = Diffs()
    diffs.add(TOPIC, [entry("1")], [])
    diffs.add(TOPIC, [entry("2")], [])
    diffs.add(TOPIC, [], [entry("2")])
    diffs.add(TOPIC, [], [entry("1")])
    diffs.add(TOPIC, [entry("1")], [])

    await diffs.until_idle()
    assert diffs.sent == [({"1"}, set()), ({"1"}, {"2"})]


def test_without_a_period_every_change_is_sent_immediately() -> None:
    diffs = Diffs(0)
    diffs.add(TOPIC, [entry("1")], [])
    diffs.add(TOPIC, [], [entry("1")])

    assert diffs.sent == [({"1"}, set()), (set(), {"1"})]


async def test_the_number_of_diffs_does_not_grow_with_the_number_of_clients_that_join_at_once() -> None:
    pubsub, listener = PubSub(), Listener()
    pubsub.subscribe(TOPIC, listener)
    presence = Presence(pubsub, broadcast_period=PERIOD)
    for number in range(500):
        presence.track(guest(TOPIC), f"user {number}", {})
    await asyncio.sleep(2 * PERIOD)

    diffs: list[Any] = [broadcast.payload for broadcast in listener.received]
    assert len(diffs) == len(("the first change", "the others"))
    assert set().union(*(diff["joins"] for diff in diffs)) == set(presence.list(TOPIC))
