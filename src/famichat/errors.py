"""The root of all expected errors: those with a stable code that clients and programs see.

An expected error tells a client what it did wrong, or that the server cannot serve it now. Every endpoint answers a
`FamichatError` with its code. Any other exception is a bug: endpoints log it and answer `internal_error`.
"""

from typing import Any, ClassVar


class FamichatError(Exception):
    """An error with a stable code.

    Args:
        message: for logs and the command line; the code by default. Not sent to clients, unless a subclass says so.
        details: further fields of the error response, such as the name of the invalid field or the applicable limit.
            Never a secret, nor anything that reveals whether an account or conversation exists.

    Attributes:
        code: a key of `famichat.error_codes.CODES`, which gives the HTTP status and title; see `docs/errors.md`.
        details: as above.
    """

    code: ClassVar[str]
    details: dict[str, Any]

    def __init__(self, message: str = "", **details: object) -> None:
        super().__init__(message or self.code)
        self.details = details
