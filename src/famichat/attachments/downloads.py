"""Downloads of attachments: authorisation, byte ranges and response headers."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote

from sqlalchemy.orm import Session

from famichat.attachments.content_type import SHOWN
from famichat.attachments.errors import FileDamaged, RangeNotSatisfiable
from famichat.attachments.files import Files
from famichat.attachments.signed_url import Part
from famichat.chat.access import conversation_for
from famichat.chat.errors import NotFound
from famichat.chat.records.attachment import Attachment, AttachmentSecrets, secrets_of
from famichat.chat.records.message import Message
from famichat.storage.base import is_id
from famichat.storage.crypto.sealed_file import read
from famichat.storage.crypto.vault import Vault
from famichat.storage.errors import UnsealError
from famichat.telemetry import emit, events

_RANGE = re.compile(r"bytes=(?:(\d{1,15})-(\d{1,15})?|-(\d{1,15}))", re.ASCII)


@dataclass(frozen=True, slots=True)
class ByteRange:
    """A byte range `start` (inclusive) to `stop` (exclusive) of a file of `size` bytes."""

    start: int
    stop: int
    size: int

    @classmethod
    def parse(cls, header: str | None, size: int) -> "ByteRange":
        """Parse a `Range` header (RFC 9110, section 14.2). Malformed and multi-part ranges are ignored, as allowed.

        Raises:
            RangeNotSatisfiable: the range starts beyond the end of the file.
        """
        asked = _RANGE.fullmatch(header or "")
        if asked is None:
            return cls(0, size, size)
        first, last, suffix = asked.groups()
        start = int(first) if suffix is None else max(0, size - int(suffix))
        stop = min(size, int(last) + 1) if last else size
        if start >= size or (last and int(last) < start) or suffix == "0":
            raise RangeNotSatisfiable(size=size)
        return cls(start, stop, size)

    @property
    def is_part(self) -> bool:
        """Whether the range is shorter than the file."""
        return self.stop - self.start < self.size


@dataclass(frozen=True, slots=True)
class Download:
    """A file to serve.

    Attributes:
        content_type: its media type.
        disposition: the `Content-Disposition` header (RFC 6266).
        size: its size in bytes.
        attachment: the attachment.
        part: the file itself, or its thumbnail.
    """

    content_type: str
    disposition: str
    size: int
    attachment: Attachment
    part: Part

    def read(self, span: ByteRange, files: Files, vault: Vault) -> Iterator[bytes]:
        """Yield the bytes of a range, decrypted piece by piece.

        Raises:
            FileDamaged: the file was modified. Everything yielded before is authentic.
            OSError: the file is missing or unreadable.
        """
        attachment = self.attachment
        path = files.thumbnail(attachment.id) if self.part == "thumbnail" else files.of(attachment)
        key = _secrets_of(attachment, vault).file_key
        try:
            yield from read(path, key, path.name, span.start, span.stop)
        except UnsealError as error:
            raise _damaged(attachment) from error


def visible(session: Session, user_id: str, attachment_id: str) -> Attachment:
    """Return a complete attachment if the user may see its message, or if it is the user's own and unsent.

    Raises:
        NotFound: it does not exist or the user may not see it (indistinguishable).
    """
    found = session.get(Attachment, attachment_id) if is_id(attachment_id) else None
    if found is None or found.finished_at is None:
        raise NotFound
    access = conversation_for(session, user_id, found.conversation_id)
    if found.message_id is None:
        if found.user_id != user_id:
            raise NotFound
        return found
    message = session.get_one(Message, found.message_id)
    if not access.can_see(message.seq) or message.deleted_at is not None:
        raise NotFound
    return found


def open_download(attachment: Attachment, part: Part, vault: Vault) -> Download:
    """Return how to serve an attachment or its thumbnail.

    Raises:
        NotFound: the attachment has no thumbnail.
        FileDamaged: its row was modified, or its vault key is missing.
    """
    if part == "thumbnail":
        if not attachment.thumbnail_bytes:
            raise NotFound
        return Download("image/webp", "inline", attachment.thumbnail_bytes, attachment, part)
    inline = attachment.content_type in SHOWN and not attachment.encrypted
    disposition = _disposition("inline" if inline else "attachment", _secrets_of(attachment, vault).name)
    return Download(attachment.content_type, disposition, attachment.size, attachment, part)


def _secrets_of(attachment: Attachment, vault: Vault) -> AttachmentSecrets:
    try:
        return secrets_of(attachment, vault)
    except UnsealError as error:
        raise _damaged(attachment) from error


def _damaged(attachment: Attachment) -> FileDamaged:
    emit(events.AttachmentDamaged(attachment_id=attachment.id))
    return FileDamaged()


def _disposition(kind: str, name: str | None) -> str:
    """Return the header with the file name twice: as ASCII, and encoded per RFC 8187."""
    if name is None:
        return kind
    plain = re.sub(r"[^A-Za-z0-9 ._()-]", "_", name)
    return f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
