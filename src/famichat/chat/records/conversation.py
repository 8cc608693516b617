"""A conversation, and its four types; a type never changes.

`create.py` makes conversations, each type in its own way; here is the one way in which they change. What may change is
listed by type, and the type is in no list.
"""

import unicodedata
from collections.abc import Iterable
from typing import Literal

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, LargeBinary, String, select, text, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from famichat.chat.errors import InvalidName, NotAdmin, NotGroupConversation
from famichat.storage.base import Base, Created, Id, PrimaryKey, Updated

ConversationType = Literal["self", "direct", "group", "family"]
Role = Literal["admin", "member"]
History = Literal["joined", "all"]

CONVERSATION_TYPES: tuple[ConversationType, ...] = ("self", "direct", "group", "family")
MAY_BE_RENAMED: frozenset[str] = frozenset({"group", "family"})
MAX_NAME = 100

# They turn around the text that follows a name: U+202A-202E, U+2066-2069 (Unicode TR 9, section 2).
_BIDI_CONTROLS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_NOT_IN_A_NAME = frozenset({"Cc", "Cs", "Co", "Cn", "Zl", "Zp"})


class Conversation(Base):
    """One conversation. The database refuses a changed type and a second self, direct or family conversation.

    `direct_key` is a keyed hash of the sorted pair and the family. `last_seq` is the position of the newest message;
    only the journal moves it. `last_change` counts the edits, deletions and reactions.
    `encryption_required` remembers that ciphertext was demanded once, for ever. `history` is a group's, chosen when it
    is made: newcomers see what is said from their joining on, or all of it.
    """

    __tablename__ = "conversations"
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
        Index(
            "uq_conversations_family",
            "family_id",
            unique=True,
            sqlite_where=text("type = 'family'"),
            postgresql_where=text("type = 'family'"),
        ),
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


def rename(session: Session, conversation: Conversation, name: str, *, role: Role) -> None:
    """Give a conversation another name, on behalf of somebody whose role in it is `role`.

    Raises:
        NotGroupConversation: a self or direct conversation has no name of its own.
        NotAdmin: only an admin of the group, or of the family, names it.
        InvalidName: see `checked_name`.
    """
    if conversation.type not in MAY_BE_RENAMED:
        raise NotGroupConversation
    if role != "admin":
        raise NotAdmin
    conversation.name = checked_name(name)
    session.flush()


def hold(session: Session, conversation_ids: Iterable[str]) -> list[Conversation]:
    """Hold conversations still until the commit: whoever changes who takes part in one calls this first.

    The journal, which asks who takes part when it has locked the row, then writes before this transaction or after it.
    The row is written as well, to what it is: a transaction that saw it earlier must start again, and not decide by
    what was true before.
    """
    held = (
        select(Conversation)
        .where(Conversation.id.in_(set(conversation_ids)))
        .order_by(Conversation.id)  # the journal locks in this order, too
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    found = list(session.execute(held).scalars())
    ids = [conversation.id for conversation in found]
    session.execute(
        update(Conversation).where(Conversation.id.in_(ids)).values(updated_at=Conversation.updated_at),
        execution_options={"synchronize_session": False},
    )
    return found


def checked_name(name: str) -> str:
    """A name as it is kept: composed (NFC), without white space around it.

    Raises:
        InvalidName: it is empty or too long, or has control characters, line breaks or bidi controls in it.
    """
    if len(name) > 4 * MAX_NAME:
        raise InvalidName
    kept = unicodedata.normalize("NFC", name).strip()
    if not 1 <= len(kept) <= MAX_NAME or any(_has_no_place(char) for char in kept):
        raise InvalidName
    return kept


def _has_no_place(char: str) -> bool:
    return char in _BIDI_CONTROLS or unicodedata.category(char) in _NOT_IN_A_NAME
