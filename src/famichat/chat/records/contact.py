"""The tables of ended contact: blocks, and contacts of children that a guardian ended."""

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint
from sqlalchemy.orm import Mapped, mapped_column

from famichat.storage.base import Base, Created, Id


class Block(Base):
    """One user blocks another one. The block applies to their direct conversations, in both directions."""

    __tablename__ = "user_blocks"
    __table_args__ = (CheckConstraint("blocked_id <> user_id", name="other"),)

    user_id: Mapped[str] = mapped_column(Id, ForeignKey("accounts_users.id", ondelete="CASCADE"), primary_key=True)
    blocked_id: Mapped[str] = mapped_column(
        Id, ForeignKey("accounts_users.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    inserted_at: Mapped[Created]


class EndedContact(Base):
    """A guardian ended the contact of a child with another user. The row is deleted with the child's membership."""

    __tablename__ = "ended_contacts"
    __table_args__ = (
        CheckConstraint("contact_id <> child_id", name="other"),
        ForeignKeyConstraint(
            ["family_id", "child_id"],
            ["family_memberships.family_id", "family_memberships.user_id"],
            name="fk_ended_contacts_child",
            ondelete="CASCADE",
        ),
    )

    family_id: Mapped[str] = mapped_column(Id, primary_key=True)
    child_id: Mapped[str] = mapped_column(Id, primary_key=True, index=True)
    contact_id: Mapped[str] = mapped_column(
        Id, ForeignKey("accounts_users.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    inserted_at: Mapped[Created]
