"""Gives a file to somebody who may see it, whole or in part."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote

from sqlalchemy.orm import Session

from famichat.attachments.content_type import SHOWN
from famichat.attachments.errors import RangeNotSatisfiable
from famichat.attachments.files import Files
from famichat.attachments.signed_url import Part
from famichat.chat.access import conversation_for
from famichat.chat.errors import NotFound
from famichat.chat.records.attachment import Attachment, secrets_of
from famichat.chat.records.message import Message
from famichat.storage.base import is_id
from famichat.storage.crypto.sealed_file import read
from famichat.storage.crypto.vault import Vault

_RANGE = re.compile(r"bytes=(?:(\d{1,15})-(\d{1,15})?|-(\d{1,15}))", re.ASCII)


@dataclass(frozen=True, slots=True)
class ByteRange:
    """From which byte to before which of how many."""

    start: int
    stop: int
    size: int

    @classmethod
    def parse(cls, header: str | None, size: int) -> "ByteRange":
        """Read a `Range` (RFC 9110, 14.2). One that is malformed, or asks for several, is left aside as that allows.

        Raises:
            RangeNotSatisfiable: the file ends before it.
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
        """Whether it is not the whole."""
        return self.stop - self.start < self.size


@dataclass(frozen=True, slots=True)
class Download:
    """A file to hand out.

    Attributes:
        content_type: what it is.
        disposition: whether it is shown in a page, and what it is called (RFC 6266).
        size: how many bytes it has.
        attachment, part: where they are.
    """

    content_type: str
    disposition: str
    size: int
    attachment: Attachment
    part: Part

    def read(self, span: ByteRange, files: Files, vault: Vault) -> Iterator[bytes]:
        """Its bytes, opened piece by piece as they are taken.

        Raises:
            UnsealError, OSError: it is damaged, or gone.
        """
        attachment = self.attachment
        path = files.thumbnail(attachment.id) if self.part == "thumbnail" else files.of(attachment)
        return read(path, secrets_of(attachment, vault).file_key, path.name, span.start, span.stop)


def visible(session: Session, user_id: str, attachment_id: str) -> Attachment:
    """An attachment that somebody may see: of a message that this person sees, or the person's own, unsent and whole.

    Raises:
        NotFound: there is none; the same for whatever reason.
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
    if message.seq < access.participant.visible_from_seq or message.deleted_at is not None:
        raise NotFound
    return found


def open_download(attachment: Attachment, part: Part, vault: Vault) -> Download:
    """How an attachment, or the small picture of one, is handed out.

    Raises:
        NotFound: there is no small picture of it.
        UnsealError: its secrets do not open.
    """
    if part == "thumbnail":
        if not attachment.thumbnail_bytes:
            raise NotFound
        return Download("image/webp", "inline", attachment.thumbnail_bytes, attachment, part)
    inline = attachment.content_type in SHOWN and not attachment.encrypted
    disposition = _disposition("inline" if inline else "attachment", secrets_of(attachment, vault).name)
    return Download(attachment.content_type, disposition, attachment.size, attachment, part)


def _disposition(kind: str, name: str | None) -> str:
    """The header, which names the file twice: in plain ASCII, and as RFC 8187 writes all letters."""
    if name is None:
        return kind
    plain = re.sub(r"[^A-Za-z0-9 ._()-]", "_", name)
    return f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
