"""A device: one signed-in browser or program of one person."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from famichat.storage.base import Base, Created, Id, PrimaryKey

MAX_DEVICE_NAME = 64


class Device(Base):
    """One signed-in browser or program. A revoked device stays, so that its messages keep their sender."""

    __tablename__ = "accounts_devices"
    __table_args__ = (CheckConstraint(f"length(name) BETWEEN 1 AND {MAX_DEVICE_NAME}", name="name_length"),)

    id: Mapped[PrimaryKey]
    user_id: Mapped[str] = mapped_column(Id, ForeignKey("accounts_users.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(MAX_DEVICE_NAME))
    created_at: Mapped[Created]
    last_seen_at: Mapped[Created]
    revoked_at: Mapped[datetime | None]
