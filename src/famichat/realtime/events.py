"""Events that this package reports about itself, and the hook that receives them.

The package imports nothing of the application, so it does not log or count. The application subscribes one handler and
forwards the events to its own telemetry:

    unsubscribe = events.subscribe(report)
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class RealtimeEvent:
    """Base class of the events. None carries a payload, a token or an id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SocketConnected(RealtimeEvent):
    """A client connected.

    Attributes:
        transport: "websocket" or "longpoll".
        vsn: the serializer version.
    """

    transport: str
    vsn: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SocketDisconnected(RealtimeEvent):
    """A connection ended.

    Attributes:
        transport: "websocket" or "longpoll".
        code: the close code that the server sent; None if the client left.
        duration_seconds: how long the connection was open.
    """

    transport: str
    code: int | None
    duration_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectRefused(RealtimeEvent):
    """A connection attempt was refused.

    Attributes:
        transport: "websocket" or "longpoll".
        reason: the check that failed, never the value that was offered.
    """

    transport: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxOverflowed(RealtimeEvent):
    """A client read too slowly and was disconnected because its outbox was full."""

    queued_frames: int
    queued_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelFailed(RealtimeEvent):
    """A callback of the application raised. Only this channel, or this connection attempt, ended.

    Attributes:
        stage: the callback that raised.
        error_type: the name of the exception's class. Its text is left out, because it may quote a message or a token.
        where: a file and a line.
    """

    stage: str
    error_type: str
    where: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameRejected(RealtimeEvent):
    """A client sent a malformed frame, and its connection was closed."""

    reason: str
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BinaryDropped(RealtimeEvent):
    """A binary payload was dropped because the client's serializer version or transport carries text only."""

    transport: str
    vsn: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LongPollMisrouted(RealtimeEvent):
    """A long poll of another node's session arrived, and that node cannot be reached. The client starts over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerFailed(RealtimeEvent):
    """The broker is unreachable. Clients of this node are served as before; other nodes are not reached."""

    error_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerMessageIgnored(RealtimeEvent):
    """A broker message was dropped, because this node cannot read it.

    Attributes:
        reason: "malformed" (not a message of this application), "forged" (of another deployment, or changed), "old",
            "repeated", "unknown_kind" or "invalid" (its handler raised).
        error_type: the name of the exception's class.
    """

    reason: str
    error_type: str


EventHandler = Callable[[RealtimeEvent], None]
_handlers: tuple[EventHandler, ...] = ()


def subscribe(handler: EventHandler) -> Callable[[], None]:
    """Call a handler with every event, in the thread that emits it.

    Args:
        handler: must not block. An exception is logged, and does not reach the code that emitted the event.

    Returns:
        a function that ends the subscription.
    """
    global _handlers  # noqa: PLW0603 - one stream per process, like the telemetry of Phoenix
    _handlers = (*_handlers, handler)

    def unsubscribe() -> None:
        global _handlers  # noqa: PLW0603 - as above
        remaining = list(_handlers)
        remaining.remove(handler)  # one of them, if the same handler is subscribed twice
        _handlers = tuple(remaining)

    return unsubscribe


def emit(event: RealtimeEvent) -> None:
    """Pass an event to every handler."""
    for handler in _handlers:
        try:
            handler(event)
        except Exception:
            _logger.exception("a handler of realtime events failed: %r", handler)
