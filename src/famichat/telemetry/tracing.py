"""Traces: one follows each message from its arrival through the disk to its broadcast.

Off unless the operator names a collector (`famichat.telemetry.otlp` speaks to it). Then nobody holds a `Tracing`, and a
message costs one comparison with None. As with events, what a span may carry is written down here and nowhere else.
"""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from opentelemetry.trace import Span, SpanKind, StatusCode, Tracer, set_span_in_context

_Told = TypeVar("_Told")
_Answer = TypeVar("_Answer")

Pseudonym = Callable[[str], str]
"""Makes of an id what a trace may show of it."""


class Tracing:
    """Begins the traces of one server.

    Args:
        tracer: where spans go.
        pseudonym: what a trace shows of an id.
    """

    def __init__(self, tracer: Tracer, pseudonym: Pseudonym) -> None:
        self._tracer = tracer
        self._pseudonym = pseudonym

    def message(self, conversation_type: str, conversation_id: str, user_id: str) -> "MessageTrace":
        """Begin to follow a message that has just arrived."""
        attributes = {
            "famichat.conversation_type": conversation_type,
            "famichat.conversation": self._pseudonym(conversation_id),
            "famichat.user": self._pseudonym(user_id),
        }
        root = self._tracer.start_span("famichat.message", kind=SpanKind.SERVER, attributes=attributes)
        return MessageTrace(self._tracer, root)


class MessageTrace:
    """One message on its way, which waits for the disk from now on: then `announcing` and `answer`, or `refused`."""

    def __init__(self, tracer: Tracer, root: Span) -> None:
        self._tracer = tracer
        self._root = root
        self._store: Span | None = self._child("famichat.message.store")

    def refused(self, fault: BaseException) -> None:
        """It went no further. Only the kind of error is told: its words might quote what was sent."""
        self._stored()
        self._root.set_attribute("error.type", type(fault).__name__)
        self._root.set_status(StatusCode.ERROR)
        self._root.end()

    def announcing(self, announce: Callable[[_Told], None]) -> Callable[[_Told], None]:
        """As `announce`, which is called when the message is on disk."""

        def traced(told: _Told) -> None:
            self._stored()
            span = self._child("famichat.message.broadcast")
            try:
                announce(told)
            finally:
                span.end()

        return traced

    async def answer(self, sent: Awaitable[_Answer]) -> _Answer:
        """As `sent`; when it is done, so is the trace."""
        try:
            answer = await sent
        except BaseException as fault:
            self.refused(fault)
            raise
        self._stored()
        self._root.end()
        return answer

    def _stored(self) -> None:
        if self._store is not None:
            self._store.end()
            self._store = None

    def _child(self, name: str) -> Span:
        return self._tracer.start_span(name, set_span_in_context(self._root))
