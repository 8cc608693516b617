"""Topics and their subscribers. A broadcast is encoded once per serializer version, for any number of clients.

Delivery on one node is synchronous: `broadcast` queues the event for every subscriber before it returns, so the order
of rule 29 holds. Then it publishes the event to the broker. Between nodes an event may be lost or late. Events whose
content other systems must not see are not broadcast to other nodes: the application publishes a message that something
has changed (`publish`), and each node reads it and calls `broadcast_here`.

Two races are closed here. Delivering may close a connection, which changes the list of subscribers, so loops run over a
copy. And a client may be authorized before it is disconnected by id, but connect after it: `disconnected_since` lets
the endpoint check this.

With a lease (`realtime.lease`), broadcasts are held back while it has expired.

pubsub = PubSub()
pubsub.broadcast("room:lobby", "new_msg", {"body": "hello"})
"""

import itertools
import time
from collections import deque
from collections.abc import Callable, Hashable, Iterable
from functools import partial
from typing import Any, Protocol, TypeVar

from famichat.realtime.events import BrokerMessageIgnored, emit
from famichat.realtime.lease import Lease
from famichat.realtime.message import Broadcast, Payload
from famichat.realtime.serializer import Encoded, Serializer

_T = TypeVar("_T")
_K = TypeVar("_K")

Announcement = tuple[str, dict[str, Any], Hashable]
"""A message to other nodes: its kind, its content, and the key of one that it replaces; see `PubSub.publish`."""

_REMEMBERED_DISCONNECTS = 1000
_MAX_HELD = 1000


class Dispatch:
    """A broadcast and its encodings, one per serializer version of its subscribers."""

    __slots__ = ("_encoded", "broadcast")

    def __init__(self, broadcast: Broadcast) -> None:
        self.broadcast = broadcast
        self._encoded: dict[str, Encoded] = {}

    def encoded(self, serializer: Serializer) -> Encoded:
        """Return the frame for a serializer version; it is encoded once and shared."""
        frame = self._encoded.get(serializer.version)
        if frame is None:
            frame = self._encoded[serializer.version] = serializer.encode(self.broadcast)
        return frame

    @property
    def frame_bytes(self) -> int:
        """The size of the encoded frame, the largest if there are several versions; 0 if it was not encoded."""
        return max((len(frame.data) for frame in self._encoded.values()), default=0)


class Subscriber(Protocol):
    """A channel that is subscribed to a topic."""

    @property
    def ids(self) -> frozenset[str]:
        """The ids of its connection."""
        ...

    def deliver(self, dispatch: Dispatch) -> None:
        """Queue a broadcast for the client. Never blocks."""
        ...

    def evict(self) -> None:
        """End the channel now; the client gets no further broadcast through it."""
        ...


class Disconnectable(Protocol):
    """A connection that can be closed by id."""

    @property
    def ids(self) -> frozenset[str]:
        """The ids of the connection."""
        ...

    def disconnect(self) -> None:
        """Close the connection. The client may reconnect, and is then authenticated again."""
        ...


class Broker(Protocol):
    """Carries messages to the other nodes, at most once: it may lose any of them, and must not raise or block."""

    def subscribe(self, handler: Callable[[dict[str, Any]], None], on_gap: Callable[[], None]) -> None:
        """Set the handlers of messages of other nodes, and of gaps: messages may have been missed."""
        ...

    def publish(self, message: dict[str, Any], replaces: Hashable = None) -> None:
        """Send a message to the other nodes, instead of a waiting one with the same key if one is given."""
        ...

    @property
    def has_peers(self) -> bool:
        """Whether there may be other nodes."""
        ...

    @property
    def hearing(self) -> bool:
        """Whether this node receives published messages, as far as it knows."""
        ...


class PubSub:
    """The topics and connections of this node; with a broker, broadcasts reach all nodes.

    Args:
        broker: carries broadcasts to the other nodes.
        lease: while it has expired, nothing is delivered; None to always deliver.
    """

    def __init__(self, broker: Broker | None = None, lease: Lease | None = None) -> None:
        self._topics: dict[str, dict[Subscriber, None]] = {}
        self._listeners: dict[tuple[str, str], dict[Subscriber, None]] = {}
        self._connections: dict[str, dict[Disconnectable, None]] = {}
        self._disconnects: deque[tuple[float, str]] = deque(maxlen=_REMEMBERED_DISCONNECTS)
        self._handlers: dict[str, Callable[[dict[str, Any]], None]] = {
            "broadcast": self._on_broadcast,
            "disconnect": lambda message: self.disconnect_here(message["id"]),
            "evict": lambda message: self.evict_here(message["topic"], message["id"]),
        }
        self._lease = lease
        # When full, the oldest are dropped: clients notice the gap.
        self._held: deque[Callable[[], None]] = deque(maxlen=_MAX_HELD)
        self._on_first: Callable[[str], None] = lambda _topic: None
        self._on_last: Callable[[str], None] = lambda _topic: None
        self._on_gap: Callable[[], None] = lambda: None
        self._broker = broker
        if broker is not None:
            broker.subscribe(self._receive, self._report_gap)

    def subscribe(self, topic: str, subscriber: Subscriber) -> None:
        """Subscribe a channel to a topic."""
        subscribers = self._topics.get(topic)
        if subscribers is None:
            subscribers = self._topics[topic] = {}
            self._on_first(topic)
        subscribers[subscriber] = None

    def listen(self, topic: str, event: str, subscriber: Subscriber) -> None:
        """Also deliver an optional event of a topic to a subscriber; see `broadcast`."""
        self._listeners.setdefault((topic, event), {})[subscriber] = None

    def unsubscribe(self, topic: str, subscriber: Subscriber, *optional_events: str) -> None:
        """End a subscription and those to optional events; does nothing if there is none."""
        if _forget(self._topics, topic, subscriber):
            self._on_last(topic)
        for event in optional_events:
            _forget(self._listeners, (topic, event), subscriber)

    def watch_topics(self, on_first: Callable[[str], None], on_last: Callable[[str], None]) -> None:
        """Set the handlers of the first subscriber of a topic on this node, and of the end of the last one."""
        self._on_first, self._on_last = on_first, on_last

    def watch_gaps(self, on_gap: Callable[[], None]) -> None:
        """Set the handler of gaps: messages of other nodes may have been missed."""
        self._on_gap = on_gap

    def broadcast(
        self,
        topic: str,
        event: str,
        payload: Payload,
        *,
        exclude: Subscriber | None = None,
        only: str | None = None,
        without: str | None = None,
        optional: bool = False,
        announce: Announcement | None = None,
    ) -> int:
        """Send an event to the subscribers of a topic, on all nodes.

        Args:
            topic: the topic's name.
            event: the event's name.
            payload: a JSON object or bytes.
            exclude: a subscriber of this node that does not receive the event.
            only: an id; only connections with this id receive the event.
            without: an id; connections with this id do not receive the event.
            optional: whether only subscribers that `listen` to the event receive it.
            announce: what the other nodes receive instead, if they must not receive the payload. They read it.

        Returns:
            The bytes of the encoded frame; 0 if the topic has no subscriber on this node.

        Raises:
            TypeError: the payload cannot be encoded; no subscriber received it.
        """
        audience = {key: each for key, each in (("only", only), ("without", without)) if each is not None}
        dispatch = self._broadcast_here(Broadcast(topic, event, payload), exclude, optional=optional, **audience)
        if announce is not None:
            self.publish(*announce)
            return dispatch.frame_bytes
        note = {"topic": topic, "event": event, "payload": payload, **audience}
        self.publish("broadcast", {**note, "optional": True} if optional else note)
        return dispatch.frame_bytes

    def disconnect(self, id: str) -> None:  # noqa: A002 - Phoenix's own word
        """Close every connection with this id, on all nodes (rule 38)."""
        self.disconnect_here(id)
        self.publish("disconnect", {"id": id})

    def evict(self, topic: str, id: str) -> None:  # noqa: A002 - Phoenix's own word
        """End every channel on a topic whose connection has this id, on all nodes."""
        self.evict_here(topic, id)
        self.publish("evict", {"topic": topic, "id": id})

    def disconnect_here(self, id: str) -> None:  # noqa: A002 - see disconnect
        """Close every connection with this id on this node."""
        self._disconnects.append((time.monotonic(), id))
        for connection in _copy(self._connections.get(id)):
            connection.disconnect()

    def evict_here(self, topic: str, id: str) -> None:  # noqa: A002 - see evict
        """End every channel on a topic, on this node, whose connection has this id."""
        for subscriber in _copy(self._topics.get(topic)):
            if id in subscriber.ids:
                subscriber.evict()

    @property
    def topics(self) -> tuple[str, ...]:
        """The topics with a subscriber on this node."""
        return tuple(self._topics)

    def has_subscribers_here(self, topic: str) -> bool:
        """Return whether a topic has subscribers on this node."""
        return topic in self._topics

    @property
    def has_peers(self) -> bool:
        """Whether there may be other nodes."""
        return self._broker is not None and self._broker.has_peers

    def may_have_listeners(self, topic: str, event: str) -> bool:
        """Return whether an optional event can reach a client. Listeners on other nodes are unknown."""
        return (topic, event) in self._listeners or self.has_peers

    @property
    def delivering(self) -> bool:
        """Whether this node delivers broadcasts: False while its lease has expired."""
        return self._lease is None or self._lease.valid

    @property
    def hearing(self) -> bool:
        """Whether this node receives the messages of other nodes; True without a broker."""
        return self._broker is None or self._broker.hearing

    def disconnected_since(self, moment: float, ids: frozenset[str]) -> bool:
        """Return whether one of these ids was disconnected since a time.

        Without this check, a client that was authorized before the disconnect, but connects after it, would stay
        connected.

        Args:
            moment: a value of `time.monotonic()`.
            ids: the ids of a new connection.
        """
        recent = itertools.takewhile(lambda entry: entry[0] >= moment, reversed(self._disconnects))
        return any(each in ids for _, each in recent)

    def connected(self, connection: Disconnectable) -> None:
        """Register a connection, so that it can be closed by its ids."""
        for each in connection.ids:
            self._connections.setdefault(each, {})[connection] = None

    def disconnected(self, connection: Disconnectable) -> None:
        """Unregister a connection."""
        for each in connection.ids:
            _forget(self._connections, each, connection)

    def publish(self, kind: str, message: dict[str, Any], replaces: Hashable = None) -> None:
        """Send a message to the handlers of this kind on the other nodes; does nothing if there are none.

        Args:
            kind: selects the handlers.
            message: JSON; must not contain what only members of a conversation may know.
            replaces: if given, the message replaces one of its kind and key that was not sent yet.
        """
        if self._broker is not None:
            self._broker.publish({"kind": kind, **message}, None if replaces is None else (kind, replaces))

    def handle(self, kind: str, handler: Callable[[dict[str, Any]], None]) -> None:
        """Set the handler of one kind of messages from other nodes."""
        self._handlers[kind] = handler

    def broadcast_here(
        self, topic: str, event: str, payload: Payload, *, only: str | None = None, optional: bool = False
    ) -> int:
        """Send an event to the subscribers of this node only, for events that every node generates itself.

        The arguments and the result are those of `broadcast`.
        """
        return self._broadcast_here(Broadcast(topic, event, payload), None, only, optional=optional).frame_bytes

    def release_held(self) -> None:
        """Deliver the broadcasts that were held back, in their order. Call after renewing the lease."""
        while self._held:
            try:
                self._held.popleft()()
            except Exception as fault:  # noqa: BLE001 - as for a message that is delivered immediately
                emit(BrokerMessageIgnored(reason="invalid", error_type=type(fault).__name__))

    def _broadcast_here(
        self,
        broadcast: Broadcast,
        exclude: Subscriber | None,
        only: str | None = None,
        without: str | None = None,
        *,
        optional: bool = False,
    ) -> Dispatch:
        dispatch = Dispatch(broadcast)
        if self.delivering:
            self._deliver(dispatch, exclude, only, without, optional=optional)
        else:
            self._held.append(partial(self._deliver, dispatch, exclude, only, without, optional=optional))
        return dispatch

    def _deliver(
        self, dispatch: Dispatch, exclude: Subscriber | None, only: str | None, without: str | None, *, optional: bool
    ) -> None:
        topic, event = dispatch.broadcast.topic, dispatch.broadcast.event
        for subscriber in _copy(self._listeners.get((topic, event)) if optional else self._topics.get(topic)):
            meant = (only is None or only in subscriber.ids) and without not in subscriber.ids
            if meant and subscriber is not exclude:
                subscriber.deliver(dispatch)

    def _on_broadcast(self, message: dict[str, Any]) -> None:
        broadcast = Broadcast(message["topic"], message["event"], message["payload"])
        only, without, optional = message.get("only"), message.get("without"), message.get("optional", False)
        self._broadcast_here(broadcast, None, only, without, optional=optional)

    def _report_gap(self) -> None:
        self._on_gap()

    def _receive(self, message: dict[str, Any]) -> None:
        try:
            handler = self._handlers[message["kind"]]
        except (KeyError, TypeError) as fault:  # perhaps a kind that only newer versions know
            emit(BrokerMessageIgnored(reason="unknown_kind", error_type=type(fault).__name__))
            return
        try:
            handler(message)
        except Exception as fault:  # noqa: BLE001 - a malformed message of another node must not end the subscription
            emit(BrokerMessageIgnored(reason="invalid", error_type=type(fault).__name__))


def _copy(found: Iterable[_T] | None) -> tuple[_T, ...]:
    # Delivering may close a connection, which removes it from the list during the loop.
    return tuple(found or ())


def _forget(index: dict[_K, dict[_T, None]], key: _K, value: _T) -> bool:
    """Remove a value, and its key with the last value; return whether that was the last."""
    found = index.get(key)
    if found is None:
        return False
    found.pop(value, None)
    if not found:
        del index[key]
    return not found
