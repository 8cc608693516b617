"""The table of participants: membership in conversations, with each member's view settings."""

from collections.abc import Iterable
from datetime import datetime
from typing import ClassVar

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from famichat.storage.base import Base, Created, Id
from famichat.storage.checksum import Checked


class Participant(Checked, Base):
    """The membership of one user in one conversation. Roles are in `group_conversation_privileges`.

    `visible_from_seq` is the first message that the member may see. The next five columns are the
    member's view settings; the largest datetime in `muted_until` means muted indefinitely.
    """

    __tablename__ = "conversation_participants"
    unchecked: ClassVar = frozenset({"hidden_at", "archived_at", "muted_until", "pinned_at", "marked_unread_at"})
    __table_args__ = (CheckConstraint("visible_from_seq >= 1", name="visible_from_seq"),)

    conversation_id: Mapped[str] = mapped_column(
        Id, ForeignKey("conversations.id", ondelete="CASCADE"), primary_key=True
    )
    user_id: Mapped[str] = mapped_column(
        Id, ForeignKey("accounts_users.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    joined_at: Mapped[Created]
    visible_from_seq: Mapped[int] = mapped_column(BigInteger, default=1)
    hidden_at: Mapped[datetime | None]
    archived_at: Mapped[datetime | None]
    muted_until: Mapped[datetime | None]
    pinned_at: Mapped[datetime | None]
    marked_unread_at: Mapped[datetime | None]


def participants(session: Session, conversation_id: str) -> list[str]:
    """Return the user ids of the members of a conversation, the longest-standing first."""
    members = select(Participant.user_id).where(Participant.conversation_id == conversation_id)
    return list(session.execute(members.order_by(Participant.joined_at, Participant.user_id)).scalars())


def add_participants(session: Session, conversation_id: str, user_ids: Iterable[str]) -> None:
    """Add members to a new conversation, who may see it from its first message."""
    session.add_all(Participant(conversation_id=conversation_id, user_id=user_id) for user_id in user_ids)
    session.flush()
