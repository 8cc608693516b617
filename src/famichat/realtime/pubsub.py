"""Topics and who listens to them. A broadcast is encoded once per dialect, however many clients hear it.

pubsub = PubSub()
pubsub.broadcast("room:lobby", "new_msg", {"body": "hello"})
"""

import itertools
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Protocol, TypeVar

from famichat.realtime.events import BrokerMessageIgnored, emit
from famichat.realtime.message import Broadcast, Payload
from famichat.realtime.serializer import Encoded, Serializer

_T = TypeVar("_T")

_REMEMBERED_DISCONNECTS = 1000


class Dispatch:
    """A broadcast on its way to its subscribers, with its encoding in each dialect that one of them speaks."""

    __slots__ = ("_encoded", "broadcast")

    def __init__(self, broadcast: Broadcast) -> None:
        self.broadcast = broadcast
        self._encoded: dict[str, Encoded] = {}

    def encoded(self, serializer: Serializer) -> Encoded:
        """The frame in this dialect, encoded for the first subscriber and shared by the rest."""
        frame = self._encoded.get(serializer.version)
        if frame is None:
            frame = self._encoded[serializer.version] = serializer.encode(self.broadcast)
        return frame


class Subscriber(Protocol):
    """A channel that listens to a topic, on behalf of a connection with these ids."""

    @property
    def ids(self) -> frozenset[str]:
        """The ids of its connection."""
        ...

    def deliver(self, dispatch: Dispatch) -> None:
        """Queue a broadcast for the client; never waits."""
        ...

    def evict(self) -> None:
        """End the channel now; nothing more may reach the client through it."""
        ...


class Disconnectable(Protocol):
    """A connection that can be told to go away."""

    @property
    def ids(self) -> frozenset[str]:
        """The names it can be closed by."""
        ...

    def disconnect(self) -> None:
        """Close it; its client may connect anew, and will be asked who it is."""
        ...


class Broker(Protocol):
    """Carries notes to the other nodes. A hint only: it may lose any of them, and must never raise or wait."""

    def listen(self, hear: Callable[[dict[str, Any]], None]) -> None:
        """Call `hear` with every note that another node published."""
        ...

    def publish(self, note: dict[str, Any]) -> None:
        """Send a note to the other nodes, if they can be reached."""
        ...


class PubSub:
    """The topics of this node; with a broker, of all nodes."""

    def __init__(self, broker: Broker | None = None) -> None:
        self._topics: dict[str, dict[Subscriber, None]] = {}
        self._connections: dict[str, dict[Disconnectable, None]] = {}
        self._disconnects: deque[tuple[float, str]] = deque(maxlen=_REMEMBERED_DISCONNECTS)
        self._hearers: dict[str, Callable[[dict[str, Any]], None]] = {
            "broadcast": self._heard_broadcast,
            "disconnect": lambda note: self._disconnect_here(note["id"]),
            "evict": lambda note: self._evict_here(note["topic"], note["id"]),
        }
        self._broker = broker
        if broker is not None:
            broker.listen(self._hear)

    def subscribe(self, topic: str, subscriber: Subscriber) -> None:
        """Let a channel hear a topic from now on."""
        self._topics.setdefault(topic, {})[subscriber] = None

    def unsubscribe(self, topic: str, subscriber: Subscriber) -> None:
        """Let it hear no more; does nothing if it did not."""
        _forget(self._topics, topic, subscriber)

    def broadcast(
        self,
        topic: str,
        event: str,
        payload: Payload,
        *,
        exclude: Subscriber | None = None,
        only: str | None = None,
        without: str | None = None,
    ) -> None:
        """Send an event to the subscribers of a topic, on all nodes.

        Args:
            topic: who listens to it, hears it.
            event: what happened.
            payload: what is said about it.
            exclude: the one on this node who does not hear it.
            only: an id; only those hear it whose connection carries it.
            without: an id; those whose connection carries it do not hear it.

        Raises:
            TypeError: the payload cannot be encoded; then nobody received it.
        """
        audience = {key: each for key, each in (("only", only), ("without", without)) if each is not None}
        self._broadcast_here(Broadcast(topic, event, payload), exclude, **audience)
        self.tell("broadcast", {"topic": topic, "event": event, "payload": payload, **audience})

    def disconnect(self, id: str) -> None:  # noqa: A002 - Phoenix's own word
        """Close every connection that carries this id, on all nodes."""
        self._disconnect_here(id)
        self.tell("disconnect", {"id": id})

    def evict(self, topic: str, id: str) -> None:  # noqa: A002 - Phoenix's own word
        """End every channel on a topic whose connection carries this id, on all nodes."""
        self._evict_here(topic, id)
        self.tell("evict", {"topic": topic, "id": id})

    def is_connected(self, id: str) -> bool:  # noqa: A002 - see disconnect
        """Whether a connection of this node carries this id."""
        return id in self._connections

    @property
    def has_other_nodes(self) -> bool:
        """Whether there may be other nodes."""
        return self._broker is not None

    @property
    def topics(self) -> tuple[str, ...]:
        """The topics that somebody listens to on this node."""
        return tuple(self._topics)

    def disconnected_since(self, moment: float, ids: frozenset[str]) -> bool:
        """Whether one of these ids was disconnected since then, a moment of `time.monotonic()`.

        Who was asked about before the disconnect, and let in after it, would slip through otherwise.
        """
        recent = itertools.takewhile(lambda told: told[0] >= moment, reversed(self._disconnects))
        return any(each in ids for _, each in recent)

    def connected(self, connection: Disconnectable) -> None:
        """Remember a connection, so that it can be closed by its ids."""
        for each in connection.ids:
            self._connections.setdefault(each, {})[connection] = None

    def disconnected(self, connection: Disconnectable) -> None:
        """Forget a connection."""
        for each in connection.ids:
            _forget(self._connections, each, connection)

    def tell(self, kind: str, note: dict[str, Any]) -> None:
        """Send a note to the other nodes, whose `on(kind, ...)` will hear it; does nothing without a broker."""
        if self._broker is not None:
            self._broker.publish({"kind": kind, **note})

    def on(self, kind: str, hear: Callable[[dict[str, Any]], None]) -> None:
        """Hear the notes of one kind that other nodes tell."""
        self._hearers[kind] = hear

    def broadcast_here(self, topic: str, event: str, payload: Payload) -> None:
        """Send an event to the subscribers on this node only, because every node says the same by itself."""
        self._broadcast_here(Broadcast(topic, event, payload), None)

    def _broadcast_here(
        self, broadcast: Broadcast, exclude: Subscriber | None, only: str | None = None, without: str | None = None
    ) -> None:
        dispatch = Dispatch(broadcast)
        for subscriber in _copy(self._topics.get(broadcast.topic)):
            meant = (only is None or only in subscriber.ids) and without not in subscriber.ids
            if meant and subscriber is not exclude:
                subscriber.deliver(dispatch)

    def _heard_broadcast(self, note: dict[str, Any]) -> None:
        broadcast = Broadcast(note["topic"], note["event"], note["payload"])
        self._broadcast_here(broadcast, None, note.get("only"), note.get("without"))

    def _disconnect_here(self, id: str) -> None:  # noqa: A002 - see disconnect
        self._disconnects.append((time.monotonic(), id))
        for connection in _copy(self._connections.get(id)):
            connection.disconnect()

    def _evict_here(self, topic: str, id: str) -> None:  # noqa: A002 - see evict
        for subscriber in _copy(self._topics.get(topic)):
            if id in subscriber.ids:
                subscriber.evict()

    def _hear(self, note: dict[str, Any]) -> None:
        hear = self._hearers.get(note.get("kind", ""))
        if hear is None:
            return  # a newer node may say what this one does not know yet
        try:
            hear(note)
        except (KeyError, TypeError, ValueError) as fault:
            # Another node's note must not end this one's listening.
            emit(BrokerMessageIgnored(error_type=type(fault).__name__))


def _copy(found: Iterable[_T] | None) -> tuple[_T, ...]:
    # Delivering may close a connection, which unsubscribes it while we go through the list.
    return tuple(found or ())


def _forget(index: dict[str, dict[_T, None]], key: str, value: _T) -> None:
    found = index.get(key)
    if found is not None:
        found.pop(value, None)
        if not found:
            del index[key]
