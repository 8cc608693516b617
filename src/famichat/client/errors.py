"""The errors of this package: one root class, and a stable code on each instance."""

from typing import Any, Final

TRANSIENT: Final = frozenset({"rate_limited", "unavailable", "internal_error", "join crashed"})
"""Refusals after which the same request is worth repeating. A message keeps its `client_id`, so it is stored once."""

SIGNED_OUT: Final = frozenset({"invalid_token", "unauthorized"})


class ClientError(Exception):
    """Base class of every error that this package raises on purpose.

    Args:
        code: stable identifier for programs. Codes of the server are listed in `docs/errors.md`.
        message: one sentence for people; may be empty.

    Attributes:
        code: as above.
        message: as above.
    """

    def __init__(self, code: str, message: str = "") -> None:
        super().__init__(message or code)
        self.code = code
        self.message = message


class Refused(ClientError):
    """The server answered, and refused the request.

    Args:
        code: one of `docs/errors.md`, or Phoenix's own `unmatched topic` and `join crashed`.
        message: the server's sentence, if it sent one.
        details: more about the refusal, such as `field` or `retry_in_ms`; never a value that was sent.
    """

    def __init__(self, code: str, message: str = "", details: dict[str, Any] | None = None) -> None:
        super().__init__(code, message)
        self.details = details or {}

    @property
    def is_transient(self) -> bool:
        """Whether the same request may succeed later."""
        return self.code in TRANSIENT

    @property
    def retry_in(self) -> float | None:
        """Seconds to wait before the next attempt, if the server named a time (`rate_limited`)."""
        milliseconds = self.details.get("retry_in_ms")
        return milliseconds / 1000 if isinstance(milliseconds, int | float) else None


class SignedOut(Refused):
    """The session has ended: the device was revoked, or its refresh token is no longer valid. Sign in again."""


class Unreachable(ClientError):
    """The server does not answer HTTP requests, or the answer does not come from a Famichat server."""

    def __init__(self, message: str) -> None:
        super().__init__("unreachable", message)


class Disconnected(ClientError):
    """The socket or the channel ended before a reply arrived. The server may have processed the request.

    `Conversation` handles this error; only code that uses `famichat.client.phoenix` directly sees it.
    """

    def __init__(self, reason: str) -> None:
        super().__init__("disconnected", reason)


class SessionDamaged(ClientError):
    """The file with the saved session cannot be parsed."""

    def __init__(self, message: str) -> None:
        super().__init__("session_damaged", message)


class Ambiguous(ClientError):
    """More than one conversation matches a name."""

    def __init__(self, message: str) -> None:
        super().__init__("ambiguous", message)


def refusal(code: str, message: str = "", details: dict[str, Any] | None = None) -> Refused:
    """Build the error for a code that the server sent."""
    kind = SignedOut if code in SIGNED_OUT else Refused
    return kind(code, message, details)


def not_utf8() -> Refused:
    """Build the error for text that cannot be encoded, such as half a surrogate pair from undecodable bytes."""
    return Refused("invalid_json", "The text contains half a surrogate pair, which JSON cannot represent")
