"""The table of conversations. A conversation has one of four types, which never changes."""

from typing import ClassVar, Literal

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from famichat.storage.base import Base, Created, Id, PrimaryKey, Updated, partial_index
from famichat.storage.checksum import Checked

ConversationType = Literal["self", "direct", "group", "family"]
Role = Literal["admin", "member"]
History = Literal["joined", "all"]

CONVERSATION_TYPES: tuple[ConversationType, ...] = ("self", "direct", "group", "family")
MAX_NAME = 100


class Conversation(Checked, Base):
    """One conversation. The database refuses a changed type and a second self, direct or family conversation.

    Attributes:
        direct_key: keyed hash of the two sorted user ids and the family id of a direct conversation; otherwise NULL.
        last_seq: `seq` of the newest message, 0 for none; only the journal advances it.
        last_change: number of edits, deletions and reactions so far.
        encryption_required: whether ciphertext was ever required here; never reset.
        history: for groups only: whether members who are added later see earlier messages (`all`) or not (`joined`).
    """

    __tablename__ = "conversations"
    unchecked: ClassVar = frozenset({"last_seq", "last_change"})
    __table_args__ = (
        CheckConstraint("type IN ('self', 'direct', 'group', 'family')", name="type"),
        CheckConstraint(f"name IS NULL OR length(name) BETWEEN 1 AND {MAX_NAME}", name="name_length"),
        CheckConstraint("(type = 'direct') = (direct_key IS NOT NULL)", name="direct_key"),
        CheckConstraint("(type = 'self') = (owner_id IS NOT NULL)", name="owner"),
        CheckConstraint("type = 'self' OR family_id IS NOT NULL", name="family"),
        CheckConstraint("last_seq >= 0", name="last_seq"),
        CheckConstraint("last_change >= 0", name="last_change"),
        CheckConstraint("(type = 'group') = (history IS NOT NULL)", name="history_of_group"),
        CheckConstraint("history IN ('joined', 'all')", name="history"),
        Index("uq_conversations_self", "owner_id", unique=True),
        Index("uq_conversations_direct", "direct_key", unique=True),
        partial_index("uq_conversations_family", "family_id", where="type = 'family'", unique=True),
    )

    id: Mapped[PrimaryKey]
    type: Mapped[ConversationType] = mapped_column(String(8))
    family_id: Mapped[str | None] = mapped_column(Id, ForeignKey("families.id", ondelete="CASCADE"), index=True)
    name: Mapped[str | None] = mapped_column(String(MAX_NAME))
    owner_id: Mapped[str | None] = mapped_column(Id, ForeignKey("accounts_users.id", ondelete="CASCADE"))
    direct_key: Mapped[bytes | None] = mapped_column(LargeBinary(32))
    created_by_id: Mapped[str | None] = mapped_column(Id, ForeignKey("accounts_users.id", ondelete="SET NULL"))
    last_seq: Mapped[int] = mapped_column(BigInteger, default=0)
    last_change: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    encryption_required: Mapped[bool] = mapped_column(default=False)
    history: Mapped[History | None] = mapped_column(String(8))
    created_at: Mapped[Created]
    updated_at: Mapped[Updated]
