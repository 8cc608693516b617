"""The table of former message versions."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from famichat.chat.records.envelope_columns import Enveloped, envelope_constraints, envelope_fields, envelope_in
from famichat.chat.records.message import BODY_PURPOSE, MAX_STORED_BYTES, Message, body_aad
from famichat.storage.base import Base, Id
from famichat.storage.checksum import Checked
from famichat.storage.crypto.sealed_columns import sealed_as


class MessageEdit(Checked, Enveloped, Base):
    """One former version of a message, numbered from 0. `body` is the sealed value of that version, unchanged."""

    __tablename__ = "message_edits"
    __table_args__ = (
        CheckConstraint("version >= 0", name="version"),
        CheckConstraint(f"length(body) <= {MAX_STORED_BYTES}", name="body_length"),
        *envelope_constraints(),
    )

    message_id: Mapped[str] = mapped_column(Id, ForeignKey("messages.id", ondelete="CASCADE"), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    body: Mapped[bytes] = mapped_column(
        LargeBinary,
        info=sealed_as(BODY_PURPOSE, lambda edit: body_aad(edit.message_id, edit.version), unless="encryption_flag"),
    )
    written_at: Mapped[datetime]

    @classmethod
    def of(cls, message: Message, body: bytes) -> "MessageEdit":
        """Build the row that preserves the current version of a message before it is replaced."""
        return cls(
            message_id=message.id,
            version=message.edits,
            body=body,
            written_at=message.edited_at or message.inserted_at,
            **envelope_fields(envelope_in(message)),
        )
