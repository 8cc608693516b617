from collections.abc import Callable, Hashable
from typing import Any

import pytest

from famichat.realtime.message import Broadcast
from famichat.realtime.pubsub import Dispatch, PubSub
from famichat.realtime.serializer import V1, V2
from famichat.telemetry.events import BrokerNoteIgnored, Event


class Listener:
    def __init__(self, *ids: str) -> None:
        self.ids = frozenset(ids)
        self.received: list[Broadcast] = []
        self.evicted = self.disconnected = False

    def deliver(self, dispatch: Dispatch) -> None:
        self.received.append(dispatch.broadcast)

    def evict(self) -> None:
        self.evicted = True

    def disconnect(self) -> None:
        self.disconnected = True


class Wire:
    """A broker between nodes of one process."""

    def __init__(self) -> None:
        self.hearers: list[Callable[[dict[str, Any]], None]] = []

    def node(self) -> "Node":
        return Node(self)


class Node:
    hearing = True
    has_peers = True

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def subscribe(self, receive: Callable[[dict[str, Any]], None], on_gap: Callable[[], None]) -> None:
        self.on_gap = on_gap
        self._hear = receive
        self._wire.hearers.append(receive)

    def publish(self, note: dict[str, Any], _replaces: Hashable = None) -> None:
        for receive in self._wire.hearers:
            if receive is not self._hear:
                receive(note)


def test_a_broadcast_reaches_the_subscribers_of_its_topic_but_not_the_excluded() -> None:
    pubsub, one, two, other = PubSub(), Listener(), Listener(), Listener()
    pubsub.subscribe("a", one)
    pubsub.subscribe("a", two)
    pubsub.subscribe("b", other)
    pubsub.broadcast("a", "e", {"n": 1}, exclude=two)

    assert one.received == [Broadcast("a", "e", {"n": 1})]
    assert two.received == other.received == []


def test_a_broadcast_may_be_for_those_with_an_id_or_for_all_but_them_on_every_node() -> None:
    wire = Wire()
    here, there = PubSub(wire.node()), PubSub(wire.node())
    mine, yours = Listener("user:me"), Listener("user:you")
    mine_there, yours_there = Listener("user:me"), Listener("user:you")
    for pubsub, listeners in ((here, (mine, yours)), (there, (mine_there, yours_there))):
        for listener in listeners:
            pubsub.subscribe("a", listener)

    here.broadcast("a", "for me", {}, only="user:me")
    here.broadcast("a", "for the others", {}, without="user:me")

    assert mine.received == mine_there.received == [Broadcast("a", "for me", {})]
    assert yours.received == yours_there.received == [Broadcast("a", "for the others", {})]


def test_an_unsubscribed_subscriber_receives_nothing_and_leaves_no_state() -> None:
    pubsub, one = PubSub(), Listener("x")
    pubsub.subscribe("a", one)
    pubsub.connected(one)
    pubsub.unsubscribe("a", one)
    pubsub.unsubscribe("a", one)
    pubsub.disconnected(one)
    pubsub.broadcast("a", "e", {})

    assert one.received == []
    assert (pubsub._topics, pubsub._connections) == ({}, {})


def test_evict_and_disconnect_go_by_id() -> None:
    pubsub, ann, ben = PubSub(), Listener("user:ann", "device:1"), Listener("user:ben")
    for each in (ann, ben):
        pubsub.subscribe("a", each)
        pubsub.connected(each)
    pubsub.evict("a", "user:ann")
    pubsub.disconnect("device:1")

    assert (ann.evicted, ann.disconnected) == (True, True)
    assert (ben.evicted, ben.disconnected) == (False, False)


def test_a_subscriber_may_unsubscribe_during_delivery() -> None:
    class Leaver(Listener):
        def deliver(self, dispatch: Dispatch) -> None:
            super().deliver(dispatch)
            pubsub.unsubscribe("a", self)

    pubsub, leaver, stayer = PubSub(), Leaver(), Listener()
    pubsub.subscribe("a", leaver)
    pubsub.subscribe("a", stayer)
    pubsub.broadcast("a", "e", {})

    assert len(leaver.received) == len(stayer.received) == 1


def test_rule_13_a_dispatch_is_encoded_once_for_each_serializer_version() -> None:
    dispatch = Dispatch(Broadcast("a", "e", {}))

    assert dispatch.encoded(V2) is dispatch.encoded(V2)
    assert dispatch.encoded(V1) is dispatch.encoded(V1)
    assert dispatch.encoded(V1).data != dispatch.encoded(V2).data


def test_everything_reaches_the_other_nodes_too() -> None:
    wire = Wire()
    here, there = PubSub(wire.node()), PubSub(wire.node())
    ann = Listener("user:ann")
    there.subscribe("a", ann)
    there.connected(ann)
    here.broadcast("a", "e", {"n": 1})
    here.broadcast("a", "e", b"bytes")
    here.broadcast_here("a", "e", {"n": 2})
    here.evict("a", "user:ann")
    here.disconnect("user:ann")

    assert ann.received == [Broadcast("a", "e", {"n": 1}), Broadcast("a", "e", b"bytes")]
    assert ann.evicted
    assert ann.disconnected


@pytest.mark.parametrize(
    ("note", "reason"),
    [
        ({"kind": "broadcast"}, "invalid"),
        ({"kind": "evict", "topic": []}, "invalid"),
        ({"kind": "new"}, "unknown_kind"),
        ({"kind": ["x"]}, "unknown_kind"),
        ({}, "unknown_kind"),
    ],
)
def test_an_unreadable_message_from_a_node_is_dropped(note: dict[str, Any], reason: str, emitted: list[Event]) -> None:
    wire = Wire()
    PubSub(wire.node())
    wire.hearers[0](note)

    assert [event.reason for event in emitted if isinstance(event, BrokerNoteIgnored)] == [reason]


def test_without_a_broker_only_optional_events_that_are_listened_to_here_may_have_listeners() -> None:
    alone, with_others = PubSub(), PubSub(Wire().node())
    alone.listen("a", "event", Listener())

    assert alone.may_have_listeners("a", "event")
    assert not alone.may_have_listeners("a", "other")
    assert with_others.may_have_listeners("b", "event"), "a client of another node may listen to it"


def test_without_a_broker_only_this_node_has_subscribers() -> None:
    alone, with_others = PubSub(), PubSub(Wire().node())
    alone.subscribe("a", Listener())

    assert (alone.has_subscribers_here("a"), alone.has_subscribers_here("b")) == (True, False)
    assert (alone.has_peers, with_others.has_peers) == (False, True)


def test_an_optional_event_reaches_only_those_who_listen_to_it_on_all_nodes() -> None:
    wire = Wire()
    here, there = PubSub(wire.node()), PubSub(wire.node())
    plain, supports, remote = Listener(), Listener("id"), Listener()
    here.subscribe("a", plain)
    for pubsub, listener in ((here, supports), (there, remote)):
        pubsub.subscribe("a", listener)
        pubsub.listen("a", "many", listener)
    here.broadcast("a", "many", {"n": 1}, optional=True)
    here.broadcast("a", "many", {"n": 2}, optional=True, only="id")
    here.unsubscribe("a", supports, "many")
    here.broadcast("a", "many", {"n": 3}, optional=True)

    assert plain.received == []
    assert [broadcast.payload for broadcast in supports.received] == [{"n": 1}, {"n": 2}]
    assert [broadcast.payload for broadcast in remote.received] == [{"n": 1}, {"n": 3}]
