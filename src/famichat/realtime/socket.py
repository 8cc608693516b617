"""One client's connection as a state machine: routes each frame to a channel, or answers it directly.

It does no I/O and never waits: `receive` returns a step, which `Connection` carries out.

    >>> socket = Socket(("room:*",), max_channels=2)
    >>> socket.receive(Message(None, "1", "phoenix", "heartbeat", {}))
    Send(frame=Reply(join_ref=None, ref='1', topic='phoenix', reply=ReplyPayload(status='ok', response={})))
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from famichat.realtime.message import Message, Outgoing, Ref, Reply, ReplyPayload, error, ok

JOIN, LEAVE, CLOSE, ERROR = "phx_join", "phx_leave", "phx_close", "phx_error"


class JoinedTopic:
    """A topic that a client has joined, from its join until its channel has ended.

    Attributes:
        topic: the topic's name.
        join_ref: as the client sent it; null is legal.
        push_ref: the join_ref of frames from the server. A client that joined with a null join_ref identifies its
            channel by the ref of the join (rule 25).
        open: whether the channel accepts messages.
    """

    __slots__ = ("join_ref", "open", "push_ref", "topic")

    def __init__(self, join: Message) -> None:
        self.topic = join.topic
        self.join_ref = join.join_ref
        self.push_ref: Ref = join.ref if join.join_ref is None else join.join_ref
        self.open = True

    def ended(self, event: str, payload: dict[str, Any]) -> Message:
        """Return the frame that reports the end of the channel: `phx_close` or `phx_error` (rules 31 to 33)."""
        return Message(self.join_ref, self.join_ref, self.topic, event, payload)


@dataclass(frozen=True, slots=True)
class Send:
    """Send this frame to the client."""

    frame: Outgoing


@dataclass(frozen=True, slots=True)
class Start:
    """Start the channel of the route `pattern`; if it `replaces` a channel, after that one has ended (rule 23)."""

    joined_topic: JoinedTopic
    join: Message
    pattern: str
    replaces: JoinedTopic | None


@dataclass(frozen=True, slots=True)
class Deliver:
    """Pass this message to the channel of this topic, after the messages before it (rule 22)."""

    joined_topic: JoinedTopic
    message: Message


Step = Send | Start | Deliver | None


class Socket:
    """The joined topics of one connection.

    Args:
        patterns: topics that can be joined, exact or `prefix*`; the first that matches wins.
        max_channels: how many topics one connection may have joined at once.
        ids: the ids by which this connection can be closed, such as `users_socket:42` (rule 38).
        assigns: the application's data about the client, from `Connected.assigns`.
    """

    def __init__(
        self, patterns: Sequence[str], *, max_channels: int, ids: frozenset[str] = frozenset(), assigns: Any = None
    ) -> None:
        self.ids = ids
        self.assigns = assigns
        self._patterns = patterns
        self._max_channels = max_channels
        self._joined_topics: dict[str, JoinedTopic] = {}

    def has_joined(self, topic: str) -> bool:
        """Return whether the client has joined a topic, or is joining it."""
        joined_topic = self._joined_topics.get(topic)
        return joined_topic is not None and joined_topic.open

    def receive(self, message: Message) -> Step:
        """Route one frame of the client.

        Returns:
            the step to carry out, or None if the frame is to be ignored.
        """
        if message.topic == "phoenix" and message.event == "heartbeat":
            return _reply(message, ok())
        if not isinstance(message.payload, dict | bytes):
            return _reply(message, error("invalid_message"))
        if message.event == JOIN:
            return self._join(message)
        joined_topic = self._joined_topics.get(message.topic)
        if joined_topic is None or not joined_topic.open:
            return _reply(message, ok()) if message.event == LEAVE else Send(unmatched(message))
        if message.join_ref is not None and message.join_ref != joined_topic.join_ref:
            return None  # a stale frame of a channel that this client has since rejoined (rule 24)
        if message.event == LEAVE:
            self.close(joined_topic)
        return Deliver(joined_topic, message)

    def close(self, joined_topic: JoinedTopic) -> None:
        """Accept no further messages for this topic. It still counts towards `max_channels` until it is released."""
        joined_topic.open = False

    def release(self, joined_topic: JoinedTopic) -> None:
        """Remove a joined topic whose channel has ended."""
        joined_topic.open = False
        if self._joined_topics.get(joined_topic.topic) is joined_topic:
            del self._joined_topics[joined_topic.topic]

    def _join(self, message: Message) -> Step:
        pattern = next((pattern for pattern in self._patterns if matches(pattern, message.topic)), None)
        if pattern is None:
            return Send(unmatched(message))
        if not isinstance(message.payload, dict):
            return _reply(message, error("invalid_message"))
        replaced = self._joined_topics.get(message.topic)
        if replaced is None and len(self._joined_topics) >= self._max_channels:
            return _reply(message, error("too many channels joined"))
        if replaced is not None:
            self.close(replaced)
        joined_topic = self._joined_topics[message.topic] = JoinedTopic(message)
        return Start(joined_topic, message, pattern, replaced)


def matches(pattern: str, topic: str) -> bool:
    """Return whether a topic equals a pattern, or starts with the prefix of a pattern `prefix*` (rule 20)."""
    return topic.startswith(pattern[:-1]) if pattern.endswith("*") else topic == pattern


def unmatched(message: Message) -> Reply:
    """Return the reply for a topic that is not joined. Its join_ref is null, unlike in every other reply (rule 20)."""
    return Reply(None, message.ref, message.topic, error("unmatched topic"))


def _reply(message: Message, payload: ReplyPayload) -> Send:
    return Send(Reply(message.join_ref, message.ref, message.topic, payload))
