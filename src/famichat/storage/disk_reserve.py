"""Disk space that sign-ins can use when the disk is full."""

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

_RETRY_SECONDS: Final = 1.0


class DiskReserve:
    """A file that holds disk space beside an SQLite database.

    When a sign-in finds the disk full, it deletes the file and uses the space. Until the file can be created again,
    everything else is refused as if the disk were still full; otherwise messages would take the space at once.

    Args:
        path: the file.
        size: in bytes. A sign-in takes less than 100 kB, most of it in the write-ahead log.
    """

    def __init__(self, path: Path, size: int = 8 * 1024 * 1024) -> None:
        self._path = path
        self._size = size
        self._is_held = False
        self._retry_at = 0.0

    def hold(self) -> bool:
        """Create the file if it does not exist. Returns whether the space is reserved; tries once a second at most."""
        if self._is_held or time.monotonic() < self._retry_at:
            return self._is_held
        try:
            if not self._path.exists() or self._path.stat().st_size < self._size:
                self._write()
        except OSError:
            self._retry_at = time.monotonic() + _RETRY_SECONDS
            with suppress(OSError):
                self._path.unlink(missing_ok=True)
        else:
            self._is_held = True
        return self._is_held

    def release(self) -> bool:
        """Delete the file. Returns whether this has made space."""
        was_held, self._is_held = self._is_held, False
        self._retry_at = time.monotonic() + _RETRY_SECONDS
        self._path.unlink(missing_ok=True)
        return was_held

    def _write(self) -> None:
        with self._path.open("wb") as file:
            self._path.chmod(0o600)
            file.write(os.urandom(self._size))  # file systems that compress would not reserve anything for zeros
            file.flush()
            os.fsync(file.fileno())
