"""The tables of marked messages: pinned by a member for all, and starred or hidden by a user for themselves."""

from typing import Literal, get_args

from sqlalchemy import CheckConstraint, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from famichat.storage.base import Base, Created, Id

Mark = Literal["starred", "hidden"]
"""What a user can mark a message as; only that user sees it. A hidden message is deleted for this user alone."""
MARKS: tuple[Mark, ...] = get_args(Mark)


class MessagePin(Base):
    """A pinned message. All members of the conversation see it."""

    __tablename__ = "message_pins"

    message_id: Mapped[str] = mapped_column(Id, ForeignKey("messages.id", ondelete="CASCADE"), primary_key=True)
    conversation_id: Mapped[str] = mapped_column(Id, ForeignKey("conversations.id", ondelete="CASCADE"), index=True)
    user_id: Mapped[str] = mapped_column(Id, ForeignKey("accounts_users.id", ondelete="CASCADE"), index=True)
    inserted_at: Mapped[Created]


class MessageMark(Base):
    """A message that a user has starred or hidden."""

    __tablename__ = "message_marks"
    __table_args__ = (CheckConstraint(f"mark IN {MARKS}", name="mark"),)

    user_id: Mapped[str] = mapped_column(Id, ForeignKey("accounts_users.id", ondelete="CASCADE"), primary_key=True)
    conversation_id: Mapped[str] = mapped_column(
        Id, ForeignKey("conversations.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    mark: Mapped[Mark] = mapped_column(String(8), primary_key=True)
    message_id: Mapped[str] = mapped_column(
        Id, ForeignKey("messages.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    inserted_at: Mapped[Created]
