"""The table of agreements between two family admins to reset the password of another admin."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from famichat.storage.base import Base, Created, Id


class ResetAgreement(Base):
    """What one admin asked for and another may have agreed to. There is at most one per user, the newest.

    Attributes:
        user_id: whose password is to be reset.
        family_id: the family of all three.
        asked_by_id: the admin who asked, and receives the link.
        agreed_by_id: the admin who agreed; None until then.
        asked_at: when it was asked.
        agreed_at: when it was agreed; None until then.
    """

    __tablename__ = "reset_agreements"
    __table_args__ = (
        CheckConstraint("user_id <> asked_by_id", name="asked_by_another"),
        CheckConstraint("agreed_by_id <> user_id AND agreed_by_id <> asked_by_id", name="agreed_by_a_third"),
        CheckConstraint("(agreed_by_id IS NULL) = (agreed_at IS NULL)", name="agreed_pair"),
    )

    user_id: Mapped[str] = mapped_column(Id, ForeignKey("accounts_users.id", ondelete="CASCADE"), primary_key=True)
    family_id: Mapped[str] = mapped_column(Id, ForeignKey("families.id", ondelete="CASCADE"), index=True)
    asked_by_id: Mapped[str] = mapped_column(Id, ForeignKey("accounts_users.id", ondelete="CASCADE"), index=True)
    agreed_by_id: Mapped[str | None] = mapped_column(
        Id, ForeignKey("accounts_users.id", ondelete="CASCADE"), index=True
    )
    asked_at: Mapped[Created]
    agreed_at: Mapped[datetime | None]
