"""The table of attachments: photos, files and voice notes, whose bytes are stored in files outside the database.

An attachment is uploaded into one conversation by one user, belongs to at most one message, and is deleted with it.
"""

import base64
import json
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Annotated, NotRequired, Protocol

from pydantic import Field
from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, LargeBinary, SmallInteger, String, UniqueConstraint
from sqlalchemy import delete as delete_from
from sqlalchemy.orm import Mapped, Session, mapped_column
from typing_extensions import TypedDict  # pydantic needs this TypedDict on Python 3.11

from famichat.storage.base import Base, Created, Id, PrimaryKey
from famichat.storage.crypto.sealed_columns import sealed_as
from famichat.storage.crypto.vault import Vault

MAX_ATTACHMENTS = 10
"""Maximum number of attachments of a message."""
ATTACHMENT_PURPOSE = "attachment"
"""The vault purpose of `AttachmentSecrets`; the attachment's id is the associated data."""


class VideoShape(TypedDict):
    """What the sender's device measured of a video; the server does not decode videos."""

    width: Annotated[int, Field(description="In pixels, upright.")]
    height: int
    duration_ms: int


class VideoView(VideoShape):
    """The shape of a video, and whether the sender's device made a picture of it."""

    poster: Annotated[bool, Field(description="Whether the `thumbnail` URL leads to a picture of the video.")]


class AttachmentView(TypedDict):
    """A photo, a file or a voice note. `GET /attachments/{id}/address` returns the URLs of its bytes."""

    id: str
    name: str | None
    size: Annotated[int, Field(description="In bytes.")]
    content_type: Annotated[str, Field(description="Detected from the content, not declared by the sender.")]
    encrypted: bool
    width: int | None
    height: int | None
    thumbnail: Annotated[bool, Field(description="Whether a thumbnail exists.")]
    duration_ms: int | None
    waveform: Annotated[Sequence[int] | None, Field(description="Loudness over time from 0 to 100, for a voice note.")]
    video: NotRequired[Annotated[VideoView, Field(description="Of a video that the sender's device measured.")]]


class Attachment(Base):
    """One attachment. The row is created when the upload is requested.

    `size` (bytes) and `content_type` are the declared values until `finished_at` is set, then those of the stored file.
    `sealed` holds the `AttachmentSecrets`, which must not be readable from a copy of the database alone.
    """

    __tablename__ = "attachments"
    __table_args__ = (
        UniqueConstraint("message_id", "position"),
        CheckConstraint("size >= 1", name="size"),
        CheckConstraint("thumbnail_bytes >= 0", name="thumbnail_bytes"),
        CheckConstraint("length(content_type) BETWEEN 1 AND 64", name="content_type_length"),
        CheckConstraint("(width IS NULL) = (height IS NULL)", name="measures"),
        CheckConstraint("message_id IS NULL OR finished_at IS NOT NULL", name="finished"),
        CheckConstraint("message_id IS NULL OR position IS NOT NULL", name="position"),
    )

    id: Mapped[PrimaryKey]
    conversation_id: Mapped[str] = mapped_column(Id, ForeignKey("conversations.id", ondelete="CASCADE"), index=True)
    user_id: Mapped[str | None] = mapped_column(Id, ForeignKey("accounts_users.id", ondelete="SET NULL"), index=True)
    message_id: Mapped[str | None] = mapped_column(Id, ForeignKey("messages.id", ondelete="SET NULL"))
    position: Mapped[int | None] = mapped_column(SmallInteger)
    size: Mapped[int] = mapped_column(BigInteger)
    content_type: Mapped[str] = mapped_column(String(64))
    encrypted: Mapped[bool]
    keep_metadata: Mapped[bool]
    width: Mapped[int | None]
    height: Mapped[int | None]
    thumbnail_bytes: Mapped[int] = mapped_column(default=0)
    duration_ms: Mapped[int | None]
    sealed: Mapped[bytes] = mapped_column(
        LargeBinary, info=sealed_as(ATTACHMENT_PURPOSE, lambda attachment: attachment.id)
    )
    created_at: Mapped[Created]
    finished_at: Mapped[datetime | None]


@dataclass(frozen=True, slots=True)
class AttachmentSecrets:
    """The sealed fields of an attachment.

    Attributes:
        key: the random key of its files, in base64. Rotating the vault keys re-encrypts this key, not the files.
        name: the file name, if known.
        waveform: loudness of a voice note over time, each value from 0 to 100.
        sha256: the checksum of the upload as declared by the client.
        video: the shape of a video as declared by the client. The columns `width` and `height` are those of a photo
            that the server has measured, and `duration_ms` makes a voice note.
    """

    key: str
    name: str | None = None
    waveform: tuple[int, ...] | None = None
    sha256: str | None = None
    video: VideoShape | None = None

    def seal(self, vault: Vault, attachment_id: str) -> bytes:
        """Seal the fields, with the attachment's id as associated data."""
        # Without empty fields, so that a server of an earlier version can still open what it knows.
        known = {name: value for name, value in asdict(self).items() if value is not None}
        return vault.seal(ATTACHMENT_PURPOSE, json.dumps(known).encode(), attachment_id)

    @property
    def file_key(self) -> bytes:
        """The decoded key of the files."""
        return base64.b64decode(self.key)


class AttachmentFields(Protocol):
    """The columns that a message view needs: those of an `Attachment`, or of an `Attached` from the journal."""

    @property
    def id(self) -> str: ...  # noqa: D102 - as in Attachment, and below
    @property
    def size(self) -> int: ...  # noqa: D102
    @property
    def content_type(self) -> str: ...  # noqa: D102
    @property
    def encrypted(self) -> bool: ...  # noqa: D102
    @property
    def width(self) -> int | None: ...  # noqa: D102
    @property
    def height(self) -> int | None: ...  # noqa: D102
    @property
    def thumbnail_bytes(self) -> int: ...  # noqa: D102
    @property
    def duration_ms(self) -> int | None: ...  # noqa: D102
    @property
    def sealed(self) -> bytes: ...  # noqa: D102


def secrets_of(attachment: AttachmentFields, vault: Vault) -> AttachmentSecrets:
    """Open the sealed fields of an attachment.

    Raises:
        UnsealError: the value is damaged, was copied from another row, or its vault key is missing.
    """
    return AttachmentSecrets(**json.loads(vault.open(ATTACHMENT_PURPOSE, attachment.sealed, attachment.id)))


def attachment_views(attachments: Sequence[AttachmentFields], vault: Vault) -> list[AttachmentView]:
    """Build the JSON of the attachments of a message.

    Raises:
        UnsealError: see `secrets_of`.
    """
    return [_view(each, secrets_of(each, vault)) for each in attachments]


def forget_attachments(session: Session, message_ids: Collection[str]) -> list[str]:
    """Delete the attachment rows of messages, in the transaction that deletes the messages.

    Returns:
        the ids of the deleted attachments. Pass them to `Files.remove` after the commit: a transaction that is rolled
        back must not have deleted files.
    """
    deletion = delete_from(Attachment).where(Attachment.message_id.in_(message_ids)).returning(Attachment.id)
    return list(session.execute(deletion).scalars())


def _view(attachment: AttachmentFields, secrets: AttachmentSecrets) -> AttachmentView:
    has_thumbnail = attachment.thumbnail_bytes > 0
    view: AttachmentView = {
        "id": attachment.id,
        "name": secrets.name,
        "size": attachment.size,
        "content_type": attachment.content_type,
        "encrypted": attachment.encrypted,
        "width": attachment.width,
        "height": attachment.height,
        # A client that does not know `video` takes every file with a thumbnail for a photo.
        "thumbnail": has_thumbnail and secrets.video is None,
        "duration_ms": attachment.duration_ms,
        "waveform": secrets.waveform,
    }
    if secrets.video is not None:
        view["video"] = {**secrets.video, "poster": has_thumbnail}
    return view
