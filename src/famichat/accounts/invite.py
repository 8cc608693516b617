"""An invitation into one family, for one person, for a while."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from famichat.storage.base import Base, Created, Id, PrimaryKey


class Invite(Base):
    """One invitation. Its token is kept as a SHA-256 only; whoever holds the token may join once."""

    __tablename__ = "accounts_invites"
    __table_args__ = (CheckConstraint("role IN ('admin', 'member')", name="role"),)

    id: Mapped[PrimaryKey]
    family_id: Mapped[str] = mapped_column(Id, ForeignKey("families.id", ondelete="CASCADE"), index=True)
    role: Mapped[str] = mapped_column(String(16))
    token_hash: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    created_by_id: Mapped[str | None] = mapped_column(Id, ForeignKey("accounts_users.id", ondelete="SET NULL"))
    created_at: Mapped[Created]
    expires_at: Mapped[datetime]
    accepted_at: Mapped[datetime | None]
    accepted_by_id: Mapped[str | None] = mapped_column(Id, ForeignKey("accounts_users.id", ondelete="SET NULL"))
    revoked_at: Mapped[datetime | None]
