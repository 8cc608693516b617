"""The table of group roles: the role of each member, who granted it, and when.

Roles are separate from membership (`participant.py`), because only groups have them. `groups/roles.py` changes them.
"""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, String, UniqueConstraint, func
from sqlalchemy.orm import Mapped, mapped_column

from famichat.chat.records.conversation import Role
from famichat.storage.base import Base, Created, Id, PrimaryKey, Updated, UtcDateTime, now
from famichat.storage.checksum import Checked


class GroupPrivilege(Checked, Base):
    """The role of one participant of one group. A participant without a row is a plain member.

    `granted_by_id` is NULL if the granter's account was deleted.
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
