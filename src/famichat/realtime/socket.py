"""One client's connection as a state machine: which frame goes to which channel, and which is answered here.

It never waits and never sends; it says what to do, and whoever owns the network does it.

    >>> socket = Socket(("room:*",), max_channels=2)
    >>> socket.receive(Message(None, "1", "phoenix", "heartbeat", {}))
    Send(frame=Answer(join_ref=None, ref='1', topic='phoenix', reply=Reply(status='ok', response={})))
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from famichat.realtime.message import Message, Outgoing, Ref, Reply, ReplyPayload, error, ok

JOIN, LEAVE, CLOSE, ERROR = "phx_join", "phx_leave", "phx_close", "phx_error"


class JoinedTopic:
    """A client's place on a topic, from its join until its channel has ended.

    `join_ref` is what the client sent. `push_ref` marks what the server pushes: clients that join without a
    join_ref know their channel by the join's ref.
    """

    __slots__ = ("join_ref", "open", "push_ref", "topic")

    def __init__(self, join: Message) -> None:
        self.topic = join.topic
        self.join_ref = join.join_ref
        self.push_ref: Ref = join.ref if join.join_ref is None else join.join_ref
        self.open = True

    def ended(self, event: str, payload: dict[str, Any]) -> Message:
        """The frame that tells the client how its channel ended."""
        return Message(self.join_ref, self.join_ref, self.topic, event, payload)


@dataclass(frozen=True, slots=True)
class Send:
    """Send this frame."""

    frame: Outgoing


@dataclass(frozen=True, slots=True)
class Start:
    """Start the channel of the route `pattern`; if it `replaces` one, only when that has ended."""

    seat: JoinedTopic
    join: Message
    pattern: str
    replaces: JoinedTopic | None


@dataclass(frozen=True, slots=True)
class Deliver:
    """Hand this message to the channel in this seat, after everything it was handed before."""

    seat: JoinedTopic
    message: Message


Step = Send | Start | Deliver | None


class Socket:
    """The joined topics of one connection.

    Args:
        patterns: topics that can be joined, exact or `prefix*`; the first that matches wins.
        max_channels: how many topics one connection may have joined at once.
        ids: the names by which this connection can be closed, such as `users_socket:42`.
        assigns: whatever the application remembered about the client when it connected.
    """

    def __init__(
        self, patterns: Sequence[str], *, max_channels: int, ids: frozenset[str] = frozenset(), assigns: Any = None
    ) -> None:
        self.ids = ids
        self.assigns = assigns
        self._patterns = patterns
        self._max_channels = max_channels
        self._seats: dict[str, JoinedTopic] = {}

    def receive(self, message: Message) -> Step:
        """Take one frame from the client and say what to do about it; None means to ignore it."""
        if message.topic == "phoenix" and message.event == "heartbeat":
            return _answer(message, ok())
        if not isinstance(message.payload, dict | bytes):
            return _answer(message, error("invalid_message"))
        if message.event == JOIN:
            return self._join(message)
        seat = self._seats.get(message.topic)
        if seat is None or not seat.open:
            return _answer(message, ok()) if message.event == LEAVE else Send(unmatched(message))
        if message.join_ref is not None and message.join_ref != seat.join_ref:
            return None  # a stale frame, meant for a channel that this client has joined anew since
        if message.event == LEAVE:
            self.close(seat)
        return Deliver(seat, message)

    def close(self, seat: JoinedTopic) -> None:
        """Take no more messages for this seat; it stays taken until it is released."""
        seat.open = False

    def release(self, seat: JoinedTopic) -> None:
        """Forget a seat whose channel has ended."""
        seat.open = False
        if self._seats.get(seat.topic) is seat:
            del self._seats[seat.topic]

    def _join(self, message: Message) -> Step:
        pattern = next((pattern for pattern in self._patterns if matches(pattern, message.topic)), None)
        if pattern is None:
            return Send(unmatched(message))
        if not isinstance(message.payload, dict):
            return _answer(message, error("invalid_message"))
        replaced = self._seats.get(message.topic)
        if replaced is None and len(self._seats) >= self._max_channels:
            return _answer(message, error("too many channels joined"))
        if replaced is not None:
            self.close(replaced)
        seat = self._seats[message.topic] = JoinedTopic(message)
        return Start(seat, message, pattern, replaced)


def matches(pattern: str, topic: str) -> bool:
    """Whether a topic is the one named, or starts as a pattern `prefix*` says."""
    return topic.startswith(pattern[:-1]) if pattern.endswith("*") else topic == pattern


def unmatched(message: Message) -> Reply:
    """The answer about a topic that is not joined. Its join_ref is null, unlike in every other answer."""
    return Reply(None, message.ref, message.topic, error("unmatched topic"))


def _answer(message: Message, reply: ReplyPayload) -> Send:
    return Send(Reply(message.join_ref, message.ref, message.topic, reply))
