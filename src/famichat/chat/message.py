"""A message: what somebody said, at its place in a conversation."""

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from famichat.e2ee.envelope import MAX_EPOCH
from famichat.storage.base import Base, Created, Id, PrimaryKey

MAX_BODY_BYTES = 64 * 1024
MAX_STORED_BYTES = MAX_BODY_BYTES + 64
BODY_PURPOSE = "body"
"""The purpose under which bodies are sealed, each bound to its message's id."""


class Message(Base):
    """One message. `body` is sealed, or, when `encryption_flag` is set, the sender's own ciphertext as it came.

    `fingerprint` is a keyed hash of what was sent under `client_id`, so that a repeat is told from a conflict even
    when the body is gone.
    """

    __tablename__ = "messages"
    __table_args__ = (
        UniqueConstraint("conversation_id", "seq"),
        # To count a person's own messages after a place; its first column serves the foreign key.
        Index("ix_messages_user_id_conversation_id_seq", "user_id", "conversation_id", "seq"),
        Index("uq_messages_client_id", "conversation_id", "user_id", "client_id", unique=True),
        CheckConstraint("seq >= 1", name="seq"),
        CheckConstraint(f"body IS NULL OR length(body) <= {MAX_STORED_BYTES}", name="body_length"),
        CheckConstraint(
            "NOT encryption_flag OR (encryption_version IS NOT NULL AND key_id IS NOT NULL)", name="encryption"
        ),
        CheckConstraint("(client_id IS NULL) = (fingerprint IS NULL)", name="fingerprint"),
        CheckConstraint("length(message_type) BETWEEN 1 AND 32", name="message_type_length"),
        CheckConstraint("client_id IS NULL OR length(client_id) BETWEEN 1 AND 128", name="client_id_length"),
        CheckConstraint(
            "encryption_version IS NULL OR length(encryption_version) BETWEEN 1 AND 32",
            name="encryption_version_length",
        ),
        CheckConstraint("key_id IS NULL OR length(key_id) BETWEEN 1 AND 128", name="key_id_length"),
        CheckConstraint("protocol IS NULL OR (encryption_flag AND length(protocol) BETWEEN 1 AND 32)", name="protocol"),
        CheckConstraint(f"epoch IS NULL OR (encryption_flag AND epoch BETWEEN 0 AND {MAX_EPOCH})", name="epoch"),
        CheckConstraint(
            "sender_device_id IS NULL OR (encryption_flag AND (device_id IS NULL OR sender_device_id = device_id))",
            name="sender_device",
        ),
    )

    id: Mapped[PrimaryKey]
    conversation_id: Mapped[str] = mapped_column(Id, ForeignKey("conversations.id", ondelete="CASCADE"))
    seq: Mapped[int] = mapped_column(BigInteger)
    user_id: Mapped[str] = mapped_column(Id, ForeignKey("accounts_users.id"))
    device_id: Mapped[str | None] = mapped_column(
        Id, ForeignKey("accounts_devices.id", ondelete="SET NULL"), index=True
    )
    message_type: Mapped[str] = mapped_column(String(32), default="text")
    body: Mapped[bytes | None] = mapped_column(LargeBinary)
    client_id: Mapped[str | None] = mapped_column(String(128))
    fingerprint: Mapped[bytes | None] = mapped_column(LargeBinary(32))
    reply_to_id: Mapped[str | None] = mapped_column(Id, ForeignKey("messages.id", ondelete="SET NULL"), index=True)
    encryption_flag: Mapped[bool] = mapped_column(default=False)
    encryption_version: Mapped[str | None] = mapped_column(String(32))
    key_id: Mapped[str | None] = mapped_column(String(128))
    protocol: Mapped[str | None] = mapped_column(String(32))
    epoch: Mapped[int | None] = mapped_column(BigInteger)
    # No foreign key: it belongs to the ciphertext, which must be kept whole when the device is forgotten.
    sender_device_id: Mapped[str | None] = mapped_column(Id)
    inserted_at: Mapped[Created]
    edited_at: Mapped[datetime | None]
    deleted_at: Mapped[datetime | None]
