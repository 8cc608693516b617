"""Reports denied access to telemetry. Sockets, channels and HTTP share it."""

from famichat.error_codes import CODES
from famichat.errors import FamichatError
from famichat.telemetry import emit, events

# 404 is included because missing and forbidden resources get the same response.
_DENIED = (401, 403, 404)


def report_denied(entry_point: str, error: Exception, user_id: str | None = None) -> None:
    """Emit AuthorizationDenied if an error means that the caller asked for something they may not access.

    Args:
        entry_point: the route ("GET /api/v1/me") or the channel that received the request.
        error: the error that the caller gets. Unexpected errors are ignored.
        user_id: the caller; at a sign-in, the owner of the account. None if unknown.
    """
    if isinstance(error, FamichatError) and CODES[error.code].status in _DENIED:
        emit(events.AuthorizationDenied(door=entry_point, reason=error.code, user_id=user_id))
