"""Storage errors that the layers above distinguish."""

from typing import Literal

from famichat.errors import FamichatError


class StorageError(Exception):
    """Base class of this package's errors."""


class StorageUnavailable(StorageError, FamichatError):
    """The database is full, unreachable, locked or damaged, and did not confirm that anything was stored.

    If it failed during a commit, the outcome is unknown: retry in an idempotent way, such as under the same client id.
    """

    code = "unavailable"


class StorageUnreachable(StorageUnavailable):
    """No connection to the database could be opened. Nothing was executed."""


class DataDamaged(StorageError, FamichatError):
    """A row that decides access was damaged on the disk, so it is not used."""

    code = "data_damaged"


UnsealCause = Literal["malformed", "unknown_version", "unknown_key", "not_authentic"]


class UnsealError(StorageError):
    """Decryption of sealed data failed. Carries the purpose and the cause, never the contents.

    Attributes:
        purpose: the kind of data, e.g. `body`.
        cause: `malformed` (too short, or not text), `unknown_version` (of the format), `unknown_key`, or
            `not_authentic` (modified, truncated, or copied from another row).
    """

    def __init__(self, purpose: str, cause: UnsealCause = "malformed") -> None:
        super().__init__(f"sealed data did not open (purpose: {purpose})")
        self.purpose = purpose
        self.cause = cause
