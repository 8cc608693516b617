"""Error replies on channels: `{"reason": code}`, with `details` where they help the client.

`error_payload` and `unmatched_event` also count the refusal, so every error that a channel answers is counted once.
"""

import logging
from typing import Any

from famichat.errors import FamichatError
from famichat.realtime.message import ReplyPayload, error
from famichat.telemetry import emit, events

_logger = logging.getLogger(__name__)


def error_payload(fault: Exception) -> dict[str, Any]:
    """Return an error as a channel sends it: `{"reason": ..., "details": ...}`.

    An unexpected error is logged and becomes `internal_error`, so its text is not sent to the client.
    """
    if not isinstance(fault, FamichatError):
        _logger.error("an unexpected error in a channel", exc_info=fault)
        emit(events.RequestRefused(door="channel", reason="internal_error"))
        return {"reason": "internal_error"}
    emit(events.RequestRefused(door="channel", reason=fault.code))
    # Clients of the protocol read `retry_in_ms` beside the reason.
    beside = {key: fault.details[key] for key in ("retry_in_ms",) if key in fault.details}
    return {"reason": fault.code, **beside, **({"details": fault.details} if fault.details else {})}


def error_reply(fault: Exception) -> ReplyPayload:
    """Return an error as the reply to a channel message."""
    return error(error_payload(fault))


def unmatched_event() -> ReplyPayload:
    """Return the reply to an event that the channel does not handle."""
    emit(events.RequestRefused(door="channel", reason="unmatched_event"))
    return error("unmatched_event")
