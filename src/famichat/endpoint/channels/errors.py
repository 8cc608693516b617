"""Error replies on channels: `{"reason": code}`, with `details` if the error has any.

`error_payload` and `unmatched_event` also emit `RequestRefused`, so every error reply is counted once.
"""

import logging

from famichat.actions.events.payloads import ErrorReply
from famichat.errors import FamichatError
from famichat.realtime.message import ReplyPayload, error
from famichat.telemetry import emit, events

_logger = logging.getLogger(__name__)


def error_payload(fault: Exception) -> ErrorReply:
    """Return the payload of an error reply: `{"reason": ..., "details": ...}`.

    An unexpected error is logged and becomes `internal_error`, so its text is not sent to the client.
    """
    if not isinstance(fault, FamichatError):
        _logger.error("unexpected error in a channel", exc_info=fault)
        emit(events.RequestRefused(door="channel", reason="internal_error"))
        return {"reason": "internal_error"}
    emit(events.RequestRefused(door="channel", reason=fault.code))
    payload: ErrorReply = {"reason": fault.code}
    if "retry_in_ms" in fault.details:  # the protocol defines it at the top level, too
        payload["retry_in_ms"] = fault.details["retry_in_ms"]
    if fault.details:
        payload["details"] = fault.details
    return payload


def error_reply(fault: Exception) -> ReplyPayload:
    """Return an error as the reply to a channel message."""
    return error(error_payload(fault))


def unmatched_event() -> ReplyPayload:
    """Return the reply to an event that the channel does not handle."""
    emit(events.RequestRefused(door="channel", reason="unmatched_event"))
    return error("unmatched_event")
