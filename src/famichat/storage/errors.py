"""What can go wrong below, as the layers above need to tell it apart."""


class StorageError(Exception):
    """The root of this package's errors."""


class StorageUnavailable(StorageError):
    """The database did not take or give anything: full, gone, locked or failing. Nothing was stored."""


class UnsealError(StorageError):
    """Sealed data did not open. Says for which purpose, and never what was in it."""

    def __init__(self, purpose: str) -> None:
        super().__init__(f"sealed data did not open (purpose: {purpose})")
        self.purpose = purpose
