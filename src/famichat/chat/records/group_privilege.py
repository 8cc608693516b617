"""A privilege: what one person may do in one group, who granted it, and when.

It lives apart from taking part (`participant.py`): who hears a conversation and who administers it are two questions,
and only groups ask the second. `group_privileges.py` grants and takes away.
"""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, String, UniqueConstraint, func
from sqlalchemy.orm import Mapped, mapped_column

from famichat.chat.records.conversation import Role
from famichat.storage.base import Base, Created, Id, PrimaryKey, Updated, UtcDateTime, now


class GroupPrivilege(Base):
    """The role of one participant of one group. Who has none recorded is a plain member.

    `granted_by_id` is empty once the account of the one who granted it is gone.
    """

    __tablename__ = "group_conversation_privileges"
    __table_args__ = (
        UniqueConstraint("conversation_id", "user_id"),
        CheckConstraint("role IN ('admin', 'member')", name="role"),
    )

    id: Mapped[PrimaryKey]
    conversation_id: Mapped[str] = mapped_column(Id, ForeignKey("conversations.id", ondelete="CASCADE"), index=True)
    user_id: Mapped[str] = mapped_column(Id, ForeignKey("accounts_users.id", ondelete="CASCADE"), index=True)
    role: Mapped[Role] = mapped_column(String(16), default="member")
    granted_by_id: Mapped[str | None] = mapped_column(
        Id, ForeignKey("accounts_users.id", ondelete="SET NULL"), index=True
    )
    granted_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now, server_default=func.now())
    inserted_at: Mapped[Created]
    updated_at: Mapped[Updated]
