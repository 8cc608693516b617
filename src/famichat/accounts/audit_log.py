"""The ledger: what somebody did to somebody else. Entries are added, and never changed or taken away.

An entry is written in the transaction that does what it tells of, so there is none without the other. It is for the
person to whom it was done; what was done to the people of a family as such is for the family's admins, too. It names
ids, and names as they were; never what was said.

    record(session, Deed("group_member_removed", name="Fika", conversation_id=group_id), concerning=nils_id, by=maja_id)
"""

from dataclasses import asdict, dataclass
from typing import Literal, get_args

from sqlalchemy import CheckConstraint, ForeignKey, Index, Select, String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from famichat.accounts.user import User
from famichat.storage.base import Base, Created, Id, PrimaryKey

Action = Literal[
    "group_role_changed",
    "group_member_removed",
    "family_role_changed",
    "family_member_removed",
    "message_deleted",
    "device_revoked",
    "password_reset",
    "account_deleted",
]
ACTIONS: tuple[Action, ...] = get_args(Action)
FAMILY_ACTIONS: tuple[Action, ...] = ("family_role_changed", "family_member_removed", "device_revoked")
"""What an admin of a family does as such. In its groups, an admin of the family is nothing special."""
MAX_PAGE = 200
_MAX_NAME = 100


class AuditLogEntry(Base):
    """One entry. The database refuses to change or delete it (`ledger_is_append_only`).

    `user_id` is whom it concerns, `by_id` and `by_name` who did it, both empty for the operator of the server. `name`
    is what the group, family or device was called. The other ids may stand for what is gone by now.
    """

    __tablename__ = "ledger_entries"
    __table_args__ = (
        CheckConstraint(f"action IN ({', '.join(map(repr, ACTIONS))})", name="action"),
        CheckConstraint("role IN ('admin', 'member')", name="role"),
        CheckConstraint(
            "(action IN ('group_role_changed', 'family_role_changed')) = (role IS NOT NULL)", name="role_of_action"
        ),
        CheckConstraint("(by_id IS NULL) = (by_name IS NULL)", name="by_pair"),
        CheckConstraint("by_id <> user_id", name="somebody_else"),
        Index("ix_ledger_entries_user_id_id", "user_id", "id"),
    )

    id: Mapped[PrimaryKey]
    user_id: Mapped[str] = mapped_column(Id, ForeignKey("accounts_users.id"))
    action: Mapped[Action] = mapped_column(String(32))
    by_id: Mapped[str | None] = mapped_column(Id, ForeignKey("accounts_users.id"))
    by_name: Mapped[str | None] = mapped_column(String(_MAX_NAME))
    name: Mapped[str | None] = mapped_column(String(_MAX_NAME))
    role: Mapped[Literal["admin", "member"] | None] = mapped_column(String(16))
    family_id: Mapped[str | None] = mapped_column(Id)
    conversation_id: Mapped[str | None] = mapped_column(Id)
    message_id: Mapped[str | None] = mapped_column(Id)
    device_id: Mapped[str | None] = mapped_column(Id)
    inserted_at: Mapped[Created]


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """What was done, and to what: what that is called now, and the ids it is known by; of a role, which it became."""

    action: Action
    name: str | None = None
    role: Literal["admin", "member"] | None = None
    family_id: str | None = None
    conversation_id: str | None = None
    message_id: str | None = None
    device_id: str | None = None


@dataclass(frozen=True, slots=True)
class AuditPage:
    """Some entries, the newest first; `has_more` says that older ones follow."""

    entries: list[AuditLogEntry]
    has_more: bool


def record(session: Session, deed: AuditEvent, *, concerning: str, by: str | None) -> None:
    """Write down what was done to somebody, in the transaction that does it. What one does to oneself is no matter.

    Args:
        session: the transaction.
        deed: what was done.
        concerning: the id of the person to whom.
        by: the id of the person who did it; None for the operator.
    """
    if concerning == by:
        return
    doer = None if by is None else session.get_one(User, by)
    by_name = doer and (doer.display_name or doer.username)
    session.add(AuditLogEntry(user_id=concerning, by_id=by, by_name=by_name, **asdict(deed)))
    session.flush()


def audit_log_of(session: Session, user_id: str, before: str | None = None, limit: int = MAX_PAGE) -> AuditPage:
    """What others did to somebody, the newest first.

    Args:
        session: the transaction.
        user_id: to whom.
        before: the id of an entry, to go on with what came before it.
        limit: how many; over 200 is taken as 200.
    """
    return _page(session, select(AuditLogEntry).where(AuditLogEntry.user_id == user_id), before, limit)


def audit_log_of_family(
    session: Session, family_id: str, before: str | None = None, limit: int = MAX_PAGE
) -> AuditPage:
    """What admins of a family did to people of it, as its admins, the newest first. Ask first who asks.

    Args:
        session: the transaction.
        family_id: which family.
        before: the id of an entry, to go on with what came before it.
        limit: how many; over 200 is taken as 200.
    """
    theirs = select(AuditLogEntry).where(AuditLogEntry.family_id == family_id, AuditLogEntry.action.in_(FAMILY_ACTIONS))
    return _page(session, theirs, before, limit)


def _page(session: Session, wanted: Select[AuditLogEntry], before: str | None, limit: int) -> AuditPage:
    limit = min(limit, MAX_PAGE)
    if before is not None:
        wanted = wanted.where(AuditLogEntry.id < before)
    # Ids made later sort later.
    found = list(session.execute(wanted.order_by(AuditLogEntry.id.desc()).limit(limit + 1)).scalars())
    return AuditPage(found[:limit], len(found) > limit)
