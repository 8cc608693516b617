"""Key shares and key requests: epoch keys that one device encrypts to another, and asking for them."""

from datetime import timedelta

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, delete
from sqlalchemy.orm import Mapped, Session, mapped_column

from famichat.storage.base import Base, Created, Id, PrimaryKey, now, partial_index

KEY_SHARE_LIFE = timedelta(days=30)
MAX_KEY_SHARE_BYTES = 64 * 1024


class KeyShare(Base):
    """Keys for one device, encrypted to its HPKE key. It is deleted when the device confirms it, or after 30 days.

    Attributes:
        conversation_id: the conversation of the epoch keys; NULL for the account seed and keyring of one's own account.
    """

    __tablename__ = "key_shares"
    __table_args__ = (CheckConstraint(f"length(ciphertext) <= {MAX_KEY_SHARE_BYTES}", name="ciphertext_length"),)

    id: Mapped[PrimaryKey]
    to_device_id: Mapped[str] = mapped_column(Id, ForeignKey("accounts_devices.id", ondelete="CASCADE"), index=True)
    from_user_id: Mapped[str] = mapped_column(Id)
    conversation_id: Mapped[str | None] = mapped_column(Id)
    ciphertext: Mapped[bytes] = mapped_column(LargeBinary(MAX_KEY_SHARE_BYTES))
    created_at: Mapped[Created]


class KeyRequest(Base):
    """A device's request for the keys of a conversation or, without one, for those of its user's account."""

    __tablename__ = "key_requests"
    __table_args__ = (
        Index("uq_key_requests_conversation", "device_id", "conversation_id", unique=True),
        partial_index("uq_key_requests_account", "device_id", where="conversation_id IS NULL", unique=True),
    )

    id: Mapped[PrimaryKey]
    device_id: Mapped[str] = mapped_column(Id, ForeignKey("accounts_devices.id", ondelete="CASCADE"))
    conversation_id: Mapped[str | None] = mapped_column(Id, index=True)
    created_at: Mapped[Created]


def delete_old_key_shares(session: Session) -> None:
    """Delete the key shares and key requests that nothing has come of for 30 days."""
    old = now() - KEY_SHARE_LIFE
    session.execute(delete(KeyShare).where(KeyShare.created_at < old))
    session.execute(delete(KeyRequest).where(KeyRequest.created_at < old))
