"""A message: what somebody said, at its place in a conversation."""

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, LargeBinary, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from famichat.chat.records.attachment import Attachment
from famichat.e2ee.envelope import MAX_EPOCH
from famichat.storage.base import Base, Created, Id, PrimaryKey
from famichat.storage.crypto.sealed_columns import sealed_as

MAX_BODY_BYTES = 64 * 1024
MAX_STORED_BYTES = MAX_BODY_BYTES + 64
BODY_PURPOSE = "body"
"""The purpose under which bodies are sealed, each bound to its message and version: see `body_aad`."""

CHANGED = text("messages.change > 0")
"""True of messages that were edited, deleted or reacted to. Written out, because an index has this condition."""


class Message(Base):
    """One message. `body` is sealed, or, when `encryption_flag` is set, the sender's own ciphertext as it came.

    `fingerprint` is a keyed hash of what was sent under `client_id`, so that a repeat is told from a conflict even
    when the body is gone.

    `edits` counts how often the body was replaced; the former ones are in `message_edits`. `change` is the position of
    the message's last change (an edit, its deletion, a reaction) among all changes of the conversation, 0 when it
    never changed; see `change_feed.py`. Only the journal inserts here, and it leaves both to the database.
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
        CheckConstraint("edits >= 0", name="edits"),
        CheckConstraint("change >= 0", name="change"),
        # What is deleted has no body, and what is not was deleted by nobody.
        CheckConstraint(
            "(deleted_at IS NULL AND deleted_by_id IS NULL) OR (deleted_at IS NOT NULL AND body IS NULL)",
            name="deletion",
        ),
        # Few messages ever change; the others cost this index nothing.
        Index(
            "uq_messages_change",
            "conversation_id",
            "change",
            unique=True,
            sqlite_where=text("change > 0"),
            postgresql_where=text("change > 0"),
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
    body: Mapped[bytes | None] = mapped_column(
        LargeBinary,
        info=sealed_as(BODY_PURPOSE, lambda message: body_aad(message.id, message.edits), unless="encryption_flag"),
    )
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
    # Without a foreign key: SQLite adds a named one only by copying the table. Whoever wrote messages is never removed.
    deleted_by_id: Mapped[str | None] = mapped_column(Id)
    edits: Mapped[int] = mapped_column(default=0, server_default="0")
    change: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    # Always read along, with one statement for however many messages: every view of a message shows them.
    attachments: Mapped[list[Attachment]] = relationship(viewonly=True, lazy="selectin", order_by=Attachment.position)


def body_aad(message_id: str, edits: int) -> str:
    """What a body is bound to where it is sealed: its message, and which version of it this is.

    So neither another message's body opens in its place, nor an earlier one of its own. The first version, which the
    journal writes, is bound to the message's id alone.
    """
    return message_id if edits == 0 else f"{message_id}/{edits}"
