"""Where the bytes of attachments are: one folder of sealed files, whose names are ids and tell nothing."""

import shutil
import time
from collections.abc import Collection, Iterator
from pathlib import Path

from famichat.chat.records.attachment import Attachment

PICTURE, THUMBNAIL = ".picture", ".thumbnail"
_ENDS = ("", PICTURE, THUMBNAIL)
_RESERVE_BYTES = 256 * 1024 * 1024
"""Kept free for the database: a full disk would stop the messages."""


class Files:
    """The files of all attachments.

    Args:
        root: their folder. Several servers on one database share it.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def upload(self, attachment_id: str) -> Path:
        """What came from the sender."""
        return self._place(attachment_id, "")

    def picture(self, attachment_id: str) -> Path:
        """A picture that was written anew."""
        return self._place(attachment_id, PICTURE)

    def thumbnail(self, attachment_id: str) -> Path:
        """The small one of a picture."""
        return self._place(attachment_id, THUMBNAIL)

    def of(self, attachment: Attachment) -> Path:
        """What is given out as the attachment."""
        was_rewritten = attachment.width is not None and not attachment.keep_metadata
        return self.picture(attachment.id) if was_rewritten else self.upload(attachment.id)

    def remove(self, attachment_ids: Collection[str]) -> None:
        """Remove all there is of attachments. What cannot be removed now is found by `remove_strays`."""
        for attachment_id in attachment_ids:
            for end in _ENDS:
                self._place(attachment_id, end).unlink(missing_ok=True)

    def remove_strays(self, wanted: Collection[str], older_than_seconds: float) -> int:
        """Remove what belongs to no attachment, unless it was written just now; answers how many files those were.

        Args:
            wanted: the names of all files that there should be.
            older_than_seconds: younger ones stay: they may be of an upload that ends at this moment.
        """
        before = time.time() - older_than_seconds
        strays = [path for path in self._all() if path.name not in wanted and path.stat().st_mtime < before]
        for path in strays:
            path.unlink(missing_ok=True)
        return len(strays)

    def has_room_for(self, size: int) -> bool:
        """Whether so many bytes fit on the disk, and leave the database the room that it needs."""
        existing = next(path for path in (self._root, *self._root.parents) if path.exists())
        return shutil.disk_usage(existing).free >= size + _RESERVE_BYTES

    def _place(self, attachment_id: str, end: str) -> Path:
        # The last letters of an id are random, the first are the time: this way no folder gets crowded.
        return self._root / attachment_id[-2:] / f"{attachment_id}{end}"

    def _all(self) -> Iterator[Path]:
        return (path for folder in self._root.glob("??") for path in folder.iterdir())


def names_of(attachment: Attachment) -> set[str]:
    """The names of the files that there should be of an attachment."""
    if attachment.finished_at is None or attachment.width is None:
        return {attachment.id}
    return {attachment.id if attachment.keep_metadata else f"{attachment.id}{PICTURE}", f"{attachment.id}{THUMBNAIL}"}
