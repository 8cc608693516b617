"""A session: what lets a device come back without a password, by a refresh token that changes at each use."""

from datetime import datetime

from sqlalchemy import ForeignKey, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from famichat.storage.base import Base, Created, Id, PrimaryKey


class RefreshToken(Base):
    """One refresh token, as its SHA-256. A used one is kept until it expires: seeing it again betrays a theft."""

    __tablename__ = "accounts_refresh_tokens"

    id: Mapped[PrimaryKey]
    device_id: Mapped[str] = mapped_column(Id, ForeignKey("accounts_devices.id", ondelete="CASCADE"), index=True)
    token_hash: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    created_at: Mapped[Created]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
