"""Who may administer a group: roles, apart from who takes part in it."""

from sqlalchemy import CheckConstraint, ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from famichat.storage.base import Base, Created, Id, PrimaryKey, Updated


class GroupPrivilege(Base):
    """The role of one participant of one group, with who granted it and when."""

    __tablename__ = "group_conversation_privileges"
    __table_args__ = (
        UniqueConstraint("conversation_id", "user_id"),
        CheckConstraint("role IN ('admin', 'member')", name="role"),
    )

    id: Mapped[PrimaryKey]
    conversation_id: Mapped[str] = mapped_column(Id, ForeignKey("conversations.id", ondelete="CASCADE"), index=True)
    user_id: Mapped[str] = mapped_column(Id, ForeignKey("accounts_users.id", ondelete="CASCADE"), index=True)
    role: Mapped[str] = mapped_column(String(16), default="member")
    granted_by_id: Mapped[str | None] = mapped_column(
        Id, ForeignKey("accounts_users.id", ondelete="SET NULL"), index=True
    )
    granted_at: Mapped[Created]
    inserted_at: Mapped[Created]
    updated_at: Mapped[Updated]
