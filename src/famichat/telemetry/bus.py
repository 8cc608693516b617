"""One stream of events: the code emits, logs and metrics listen.

>>> from famichat.telemetry import attach, emit, events
>>> seen = []
>>> detach = attach(seen.append)
>>> emit(events.MessageSent(conversation_type="direct", body_bytes=2, store_seconds=0.001, repeat=False))
>>> detach()
>>> seen[0].name
'famichat.message.sent'
"""

import logging
from collections.abc import Callable

from famichat.telemetry.events import Event

Handler = Callable[[Event], None]

_logger = logging.getLogger(__name__)
_handlers: tuple[Handler, ...] = ()


def emit(event: Event) -> None:
    """Hand an event to every handler, now, in the caller's thread.

    A handler that raises is detached and reported: telemetry must never cost a family its message.
    """
    for handler in _handlers:
        try:
            handler(event)
        except Exception:
            # Whatever broke is the listener's fault, and the sender of a message must not pay for it.
            _logger.exception("a telemetry handler failed and was detached: %r", handler)
            _detach(handler)


def attach(handler: Handler) -> Callable[[], None]:
    """Let `handler` hear every event from now on; call what is returned to stop that."""
    global _handlers  # noqa: PLW0603 - one stream per process, as in Elixir's :telemetry
    _handlers = (*_handlers, handler)
    return lambda: _detach(handler)


def _detach(handler: Handler) -> None:
    global _handlers  # noqa: PLW0603 - see attach
    _handlers = tuple(h for h in _handlers if h is not handler)
