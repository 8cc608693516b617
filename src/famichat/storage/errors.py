"""What can go wrong below, as the layers above need to tell it apart."""


class StorageError(Exception):
    """The root of this package's errors."""


class StorageUnavailable(StorageError):
    """The database is full, gone, locked, damaged or failing, and did not say that anything was stored.

    When it went away during a commit, nobody knows: ask again in a way that bears repetition, such as by a client id.
    """


class UnsealError(StorageError):
    """Sealed data did not open. Says for which purpose, and never what was in it."""

    def __init__(self, purpose: str) -> None:
        super().__init__(f"sealed data did not open (purpose: {purpose})")
        self.purpose = purpose
