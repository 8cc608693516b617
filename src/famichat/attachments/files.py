"""The directory of attachment files. They are encrypted, and their names are ids."""

import errno
import os
import shutil
import time
from collections.abc import Collection, Iterator
from pathlib import Path

from famichat.chat.records.attachment import Attachment
from famichat.storage.base import CLOCK_TOLERANCE
from famichat.storage.errors import StorageError

PICTURE, THUMBNAIL = ".picture", ".thumbnail"
_ENDS = ("", PICTURE, THUMBNAIL)
_MARKER = "server"
RESERVE_BYTES = 256 * 1024 * 1024
"""Disk space reserved for the database: a full disk would stop messages."""


class FilesOfAnotherServer(StorageError):
    """The directory belongs to a server with another database, which would delete the files of this one."""

    def __init__(self, root: Path) -> None:
        super().__init__(
            f"The files in {root} belong to another Famichat server. Set FAMICHAT_FILES_DIR to a directory that only "
            f"this server uses. If the other one is gone, delete {root / _MARKER}"
        )


class Files:
    """The files of all attachments.

    Args:
        root: their directory. Several servers on one database share it.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def claim(self, database_id: str) -> None:
        """Mark the directory as that of a database, so that no other server uses it and sweeps these files.

        Raises:
            FilesOfAnotherServer: it is marked as that of another database.
            OSError: it cannot be read or written to.
        """
        self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not os.access(self._root, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(self._root))
        owner = self._marker()[0]
        if owner and owner != database_id:
            raise FilesOfAnotherServer(self._root)
        if not owner:
            # Files from before the mark may be of a server that has not marked the directory yet. They are not swept.
            claimed_at = time.time() if any(self._all()) else 0.0
            (self._root / _MARKER).write_text(f"{database_id} {claimed_at:.0f}\n", encoding="utf-8")

    def upload(self, attachment_id: str) -> Path:
        """Path of the file as uploaded."""
        return self._place(attachment_id, "")

    def picture(self, attachment_id: str) -> Path:
        """Path of the cleaned picture."""
        return self._place(attachment_id, PICTURE)

    def thumbnail(self, attachment_id: str) -> Path:
        """Path of the thumbnail."""
        return self._place(attachment_id, THUMBNAIL)

    def of(self, attachment: Attachment) -> Path:
        """Path of the file that is served as the attachment."""
        was_rewritten = attachment.width is not None and not attachment.keep_metadata
        return self.picture(attachment.id) if was_rewritten else self.upload(attachment.id)

    def remove(self, attachment_ids: Collection[str]) -> None:
        """Remove all files of the given attachments. `remove_strays` finds any that are left over."""
        for attachment_id in attachment_ids:
            for end in _ENDS:
                self._place(attachment_id, end).unlink(missing_ok=True)

    def remove_strays(self, wanted: Collection[str], older_than_seconds: float) -> int:
        """Remove files that belong to no attachment, and return how many were removed.

        Files that were there before `claim` stay: another server may have written them.

        Args:
            wanted: the names of all files that should exist.
            older_than_seconds: minimum age; newer files may belong to an upload that is just finishing.
        """
        oldest, newest = time.time() - older_than_seconds, time.time() + CLOCK_TOLERANCE.total_seconds()

        claimed_at = self._marker()[1]

        def may_go(path: Path) -> bool:
            modified_at = path.stat().st_mtime
            is_young = oldest <= modified_at <= newest  # and not from a time when the clock was ahead
            return modified_at >= claimed_at and not is_young

        strays = [path for path in self._all() if path.name not in wanted and may_go(path)]
        for path in strays:
            path.unlink(missing_ok=True)
        return len(strays)

    def has_room_for(self, size: int) -> bool:
        """Return whether `size` bytes fit on the disk besides the space reserved for the database."""
        existing = next(path for path in (self._root, *self._root.parents) if path.exists())
        return shutil.disk_usage(existing).free >= size + RESERVE_BYTES

    def _place(self, attachment_id: str, end: str) -> Path:
        # The first characters of a UUIDv7 are a timestamp, the last are random: they spread files over directories.
        return self._root / attachment_id[-2:] / f"{attachment_id}{end}"

    def _marker(self) -> tuple[str, float]:
        """Return the id of the database that the directory belongs to, and from when on all files are its own."""
        try:
            database_id, _, claimed_at = (self._root / _MARKER).read_text(encoding="utf-8").strip().partition(" ")
            return database_id, float(claimed_at or 0)
        except FileNotFoundError:
            return "", 0.0
        except ValueError:  # someone has edited it
            raise FilesOfAnotherServer(self._root) from None

    def _all(self) -> Iterator[Path]:
        return (path for folder in self._root.glob("??") for path in folder.iterdir())


def names_of(attachment: Attachment) -> set[str]:
    """Return the names of the files that an attachment should have."""
    was_rewritten = attachment.finished_at is not None and attachment.width is not None and not attachment.keep_metadata
    names = {f"{attachment.id}{PICTURE}" if was_rewritten else attachment.id}
    return names | ({f"{attachment.id}{THUMBNAIL}"} if attachment.thumbnail_bytes else set())
