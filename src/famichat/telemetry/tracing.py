"""Traces: one follows each message from its arrival through the disk to its broadcast.

Off unless the operator configures a collector (`famichat.telemetry.otlp` sends to it). Then there is no `Tracing`, and
a message costs one comparison with None. As with events, this module lists everything that a span may carry.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from opentelemetry.trace import Span, SpanKind, StatusCode, Tracer, set_span_in_context

Pseudonym = Callable[[str], str]
"""Maps an id to what a trace may show of it."""

_CONVERSATION_TYPE = "famichat.conversation_type"


class Tracing:
    """Starts the traces of one server.

    Args:
        tracer: receives the spans.
        pseudonym: maps an id to what a trace may show of it.
    """

    def __init__(self, tracer: Tracer, pseudonym: Pseudonym) -> None:
        self._tracer = tracer
        self._pseudonym = pseudonym

    def message(self, conversation_type: str | None, conversation_id: str, user_id: str) -> "MessageTrace":
        """Start the trace of a message that has just arrived.

        Args:
            conversation_type: None if it is unknown until the message is stored.
            conversation_id: the conversation.
            user_id: the sender.
        """
        attributes = {
            "famichat.conversation": self._pseudonym(conversation_id),
            "famichat.user": self._pseudonym(user_id),
        }
        if conversation_type is not None:
            attributes[_CONVERSATION_TYPE] = conversation_type
        root = self._tracer.start_span("famichat.message", kind=SpanKind.SERVER, attributes=attributes)
        return MessageTrace(self._tracer, root)


class MessageTrace:
    """The trace of one message that waits to be stored. Ends with `refused` or `finish`."""

    def __init__(self, tracer: Tracer, root: Span) -> None:
        self._tracer = tracer
        self._root = root
        self._store: Span | None = self._child("famichat.message.store")

    def refused(self, error: BaseException) -> None:
        """End the trace with the type of an error. Its text is left out: it might quote the message."""
        self._stored()
        self._root.set_attribute("error.type", type(error).__name__)
        self._root.set_status(StatusCode.ERROR)
        self._root.end()

    @contextmanager
    def broadcasting(self, conversation_type: str) -> Iterator[None]:
        """End the span of storing, and measure the broadcast in the `with` block."""
        self._stored()
        self._root.set_attribute(_CONVERSATION_TYPE, conversation_type)
        span = self._child("famichat.message.broadcast")
        try:
            yield
        finally:
            span.end()

    def finish(self, error: BaseException | None) -> None:
        """End the trace of a message that was stored, or was not because of an error."""
        if error is not None:
            self.refused(error)
            return
        self._stored()
        self._root.end()

    def _stored(self) -> None:
        if self._store is not None:
            self._store.end()
            self._store = None

    def _child(self, name: str) -> Span:
        return self._tracer.start_span(name, set_span_in_context(self._root))
