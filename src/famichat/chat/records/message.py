"""The table of messages."""

from datetime import datetime
from typing import ClassVar

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, LargeBinary, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from famichat.chat.records.attachment import Attachment
from famichat.e2ee.envelope import MAX_EPOCH
from famichat.storage.base import Base, Created, Id, PrimaryKey, partial_index
from famichat.storage.checksum import Checked
from famichat.storage.crypto.sealed_columns import sealed_as

MAX_BODY_BYTES = 64 * 1024
"""Maximum size of a body, in bytes of UTF-8."""
MAX_STORED_BYTES = MAX_BODY_BYTES + 64
"""Maximum size of a sealed body, in bytes: it includes the header and the tag of the vault."""
BODY_PURPOSE = "body"
"""The vault purpose of message bodies; `body_aad` returns their associated data."""

CHANGED = text("messages.change > 0")
"""The condition for messages that were edited, deleted or reacted to.

It is literal SQL, because a partial index is used only if the query repeats its condition without parameters.
"""


class Message(Checked, Base):
    """One message. Only the journal inserts rows.

    Attributes:
        seq: the position in the conversation, from 1, without gaps.
        body: sealed by the vault; or, if `encryption_flag` is set, the sender's ciphertext unchanged.
        fingerprint: keyed hash of the original payload, which tells a repeat of `client_id` from a conflict even after
            the body was deleted.
        edits: how often the body was replaced; `message_edits` holds the former versions.
        sender_seq: the position among the sender's own messages of the conversation, from 1, without gaps.
        change: the position of the last edit, deletion or reaction among all changes of the conversation, 0 for none;
            see `change_feed.py`.
    """

    __tablename__ = "messages"
    unchecked: ClassVar = frozenset({"sender_seq"})
    __table_args__ = (
        UniqueConstraint("conversation_id", "seq"),
        # For the unread count, which finds a user's last message up to a position. It also serves the foreign key.
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
        # A deleted message has no body; a message that is not deleted has no deleter.
        CheckConstraint(
            "(deleted_at IS NULL AND deleted_by_id IS NULL) OR (deleted_at IS NOT NULL AND body IS NULL)",
            name="deletion",
        ),
        # A partial index: few messages ever change, and the others are not in it.
        partial_index("uq_messages_change", "conversation_id", "change", where="change > 0", unique=True),
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
    # No foreign key: the id is part of the ciphertext's metadata, which must stay intact when the device is deleted.
    sender_device_id: Mapped[str | None] = mapped_column(Id)
    inserted_at: Mapped[Created]
    edited_at: Mapped[datetime | None]
    deleted_at: Mapped[datetime | None]
    # No foreign key: SQLite can add one only by copying the table. User rows that messages refer to are never deleted.
    deleted_by_id: Mapped[str | None] = mapped_column(Id)
    edits: Mapped[int] = mapped_column(default=0, server_default="0")
    change: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    sender_seq: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    # Loaded eagerly, with one statement for any number of messages: every message view includes them.
    attachments: Mapped[list[Attachment]] = relationship(viewonly=True, lazy="selectin", order_by=Attachment.position)


def body_aad(message_id: str, edits: int) -> str:
    """Return the associated data (AAD, RFC 5116) that binds a sealed body to its message and version.

    Without it, an attacker with write access to the database could replace a body with that of another message, or
    with an earlier version of the same message.

    Args:
        message_id: the message.
        edits: the number of the version: 0 for the original, which is bound to the message's id alone.
    """
    return message_id if edits == 0 else f"{message_id}/{edits}"
