"""What can go wrong below, as the layers above need to tell it apart."""

from typing import Literal


class StorageError(Exception):
    """The root of this package's errors."""


class StorageUnavailable(StorageError):
    """The database is full, gone, locked, damaged or failing, and did not say that anything was stored.

    When it went away during a commit, nobody knows: ask again in a way that bears repetition, such as by a client id.
    """


UnsealCause = Literal["malformed", "unknown_version", "unknown_key", "not_authentic"]


class UnsealError(StorageError):
    """Sealed data did not open. Says for which purpose and why, and never what was in it.

    Attributes:
        purpose: what kind of data it is.
        cause: `malformed` (too short to be sealed data, or no text inside), `unknown_version` (of the format),
            `unknown_key`, or `not_authentic`: tampered with, cut, or moved here from another place.
    """

    def __init__(self, purpose: str, cause: UnsealCause = "malformed") -> None:
        super().__init__(f"sealed data did not open (purpose: {purpose})")
        self.purpose = purpose
        self.cause = cause
