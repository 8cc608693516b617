"""The tables of families and their members."""

from typing import Literal

from sqlalchemy import CheckConstraint, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from famichat.chat.records.conversation import MAX_NAME
from famichat.storage.base import Base, Created, Id, PrimaryKey, Updated
from famichat.storage.checksum import Checked

FamilyRole = Literal["admin", "member", "child"]
"""A child is a member whose contacts the adults of the family, its guardians, can end."""


class Family(Checked, Base):
    """One family."""

    __tablename__ = "families"
    __table_args__ = (CheckConstraint(f"length(name) BETWEEN 1 AND {MAX_NAME}", name="name_length"),)

    id: Mapped[PrimaryKey]
    name: Mapped[str] = mapped_column(String(MAX_NAME))
    created_at: Mapped[Created]
    updated_at: Mapped[Updated]


class FamilyMembership(Checked, Base):
    """The membership of one user in one family."""

    __tablename__ = "family_memberships"
    __table_args__ = (CheckConstraint("role IN ('admin', 'member', 'child')", name="role"),)

    family_id: Mapped[str] = mapped_column(Id, ForeignKey("families.id", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[str] = mapped_column(
        Id, ForeignKey("accounts_users.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    role: Mapped[FamilyRole] = mapped_column(String(16))
    joined_at: Mapped[Created]
