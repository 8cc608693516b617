"""A participant: one person's place in one conversation, and how that person wants to see it."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from famichat.storage.base import Base, Created, Id


class Participant(Base):
    """Someone who is in a conversation. Roles live apart, in `group_conversation_privileges`.

    `visible_from_seq` is the first message this person may see. `hidden_at`, `archived_at` and `muted_until` are this
    person's own view; `muted_until` in the far future means muted without an end.
    """

    __tablename__ = "conversation_participants"
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


def participants(session: Session, conversation_id: str) -> list[str]:
    """The ids of the people in a conversation, in the order in which they came."""
    theirs = select(Participant.user_id).where(Participant.conversation_id == conversation_id)
    return list(session.execute(theirs.order_by(Participant.joined_at, Participant.user_id)).scalars())


def add_participants(session: Session, conversation_id: str, user_ids: Iterable[str]) -> None:
    """Let people take part in a new conversation, from its first message on."""
    session.add_all(Participant(conversation_id=conversation_id, user_id=user_id) for user_id in user_ids)
    session.flush()
