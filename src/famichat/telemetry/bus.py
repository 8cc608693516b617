"""The event stream: application code emits events; logs and metrics handle them.

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
    """Pass an event to every handler, synchronously, in the caller's thread. Never raises.

    A handler that raises is logged and detached, because a telemetry failure must not affect a message.
    """
    for handler in _handlers:
        try:
            handler(event)
        except Exception:
            _logger.exception("a telemetry handler failed and was detached: %r", handler)
            _detach(handler)


def attach(handler: Handler) -> Callable[[], None]:
    """Call a handler with every event from now on.

    Args:
        handler: must not block, and is called from any thread.

    Returns:
        a function that detaches the handler.
    """
    global _handlers  # noqa: PLW0603 - one stream per process, as in Elixir's :telemetry
    _handlers = (*_handlers, handler)
    return lambda: _detach(handler)


def _detach(handler: Handler) -> None:
    global _handlers  # noqa: PLW0603 - see attach
    _handlers = tuple(h for h in _handlers if h is not handler)
