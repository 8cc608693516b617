"""The audit log: what admins and the operator did to other users. Append-only.

An entry is written in the transaction of the action it describes, so neither exists without the other. The user it
concerns can read it; family admins can read the entries about members of their family. Entries contain ids, and names
as they were at the time; never message contents. The interface calls it "Account history".

    event = AuditEvent("group_member_removed", name="Fika", conversation_id=group_id)
    record(session, event, concerning=nils_id, by=maja_id)
"""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal, get_args

from sqlalchemy import CheckConstraint, ForeignKey, Index, Select, String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from famichat.accounts.user import User
from famichat.storage.base import Base, Created, Id, PrimaryKey, rfc3339
from famichat.storage.checksum import DAMAGED_NAME

Action = Literal[
    "group_role_changed",
    "group_member_removed",
    "family_role_changed",
    "family_member_removed",
    "message_deleted",
    "device_revoked",
    "password_reset",
    "account_deleted",
    "contact_ended",
    "contact_restored",
    "reset_link_created",
    "reset_requested",
    "reset_agreed",
    "reset_cancelled",
]
ACTIONS: tuple[Action, ...] = get_args(Action)
FAMILY_ACTIONS: tuple[Action, ...] = (
    "family_role_changed",
    "family_member_removed",
    "device_revoked",
    "contact_ended",
    "contact_restored",
    "reset_link_created",
    "reset_requested",
    "reset_agreed",
    "reset_cancelled",
)
"""What a family admin or a guardian can do, and what the user concerned cancels. In groups, a family admin has no
special rights."""
MAX_PAGE = 200
_MAX_NAME = 100


class AuditLogEntry(Base):
    """One entry. A database trigger (`ledger_is_append_only`) rejects changes and deletions.

    `user_id` is the user it concerns. `by_id` and `by_name` are the user who did it, both NULL for the server operator.
    `name` is the name of the group, family, device or contact at the time. The other ids may refer to deleted objects.
    """

    __tablename__ = "ledger_entries"
    __table_args__ = (
        CheckConstraint(f"action IN ({', '.join(map(repr, ACTIONS))})", name="action"),
        CheckConstraint("role IN ('admin', 'member', 'child')", name="role"),
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
    role: Mapped[Literal["admin", "member", "child"] | None] = mapped_column(String(16))
    family_id: Mapped[str | None] = mapped_column(Id)
    conversation_id: Mapped[str | None] = mapped_column(Id)
    message_id: Mapped[str | None] = mapped_column(Id)
    device_id: Mapped[str | None] = mapped_column(Id)
    inserted_at: Mapped[Created]


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """An action: the name and ids of its object and, for a role change, the new role."""

    action: Action
    name: str | None = None
    role: Literal["admin", "member", "child"] | None = None
    family_id: str | None = None
    conversation_id: str | None = None
    message_id: str | None = None
    device_id: str | None = None


@dataclass(frozen=True, slots=True)
class AuditPage:
    """A page of entries, newest first; `has_more` is true if there are older ones."""

    entries: list[AuditLogEntry]
    has_more: bool


def record(session: Session, event: AuditEvent, *, concerning: str, by: str | None) -> None:
    """Add an entry, in the transaction that performs the action. Does nothing for a user's own actions.

    Args:
        session: the transaction.
        event: the action.
        concerning: the id of the user it was done to.
        by: the id of the user who did it; None for the server operator.
    """
    if concerning == by:
        return
    actor = None if by is None else session.get_one(User, by)
    by_name = actor and ((actor.display_name or actor.username) if actor.is_intact else DAMAGED_NAME)
    session.add(AuditLogEntry(user_id=concerning, by_id=by, by_name=by_name, **asdict(event)))
    session.flush()


def audit_log_of(session: Session, user_id: str, before: str | None = None, limit: int = MAX_PAGE) -> AuditPage:
    """Return what other people did to a user, newest first.

    Args:
        session: the transaction.
        user_id: the user.
        before: the id of an entry; only older entries are returned.
        limit: the page size, at most 200; larger values count as 200.
    """
    return _page(session, select(AuditLogEntry).where(AuditLogEntry.user_id == user_id), before, limit)


def audit_log_of_family(
    session: Session, family_id: str, before: str | None = None, limit: int = MAX_PAGE
) -> AuditPage:
    """Return what family admins did to members, newest first. Check first that the reader is an admin.

    Args:
        session: the transaction.
        family_id: the family.
        before: the id of an entry; only older entries are returned.
        limit: the page size, at most 200; larger values count as 200.
    """
    entries = select(AuditLogEntry).where(
        AuditLogEntry.family_id == family_id, AuditLogEntry.action.in_(FAMILY_ACTIONS)
    )
    return _page(session, entries, before, limit)


def role_was_changed(session: Session, user_id: str, family_id: str, since: datetime) -> bool:
    """Return whether someone else changed a user's role in a family since then."""
    entries = select(AuditLogEntry.id).where(
        AuditLogEntry.user_id == user_id,
        AuditLogEntry.family_id == family_id,
        AuditLogEntry.action == "family_role_changed",
        AuditLogEntry.inserted_at >= since,
    )
    return session.execute(entries.limit(1)).first() is not None


def latest_reset_link(session: Session, user_id: str, since: datetime) -> AuditLogEntry | None:
    """Return the entry about the last link to reset a user's password, if it was created since then."""
    entries = (
        select(AuditLogEntry)
        .where(
            AuditLogEntry.user_id == user_id,
            AuditLogEntry.action == "reset_link_created",
            AuditLogEntry.inserted_at >= since,
        )
        .order_by(AuditLogEntry.id.desc())
    )
    return session.execute(entries.limit(1)).scalar_one_or_none()


def entry_view(entry: AuditLogEntry) -> dict[str, Any]:
    """Return an entry as its user reads it, ready for JSON."""
    return {
        "id": entry.id,
        "action": entry.action,
        "by_id": entry.by_id,
        "by_name": entry.by_name,
        "name": entry.name,
        "role": entry.role,
        "family_id": entry.family_id,
        "conversation_id": entry.conversation_id,
        "message_id": entry.message_id,
        "device_id": entry.device_id,
        "inserted_at": rfc3339(entry.inserted_at),
    }


def _page(session: Session, entries: Select[AuditLogEntry], before: str | None, limit: int) -> AuditPage:
    limit = min(limit, MAX_PAGE)
    if before is not None:
        entries = entries.where(AuditLogEntry.id < before)
    # Ids are UUIDv7: newer ones sort after older ones.
    found = list(session.execute(entries.order_by(AuditLogEntry.id.desc()).limit(limit + 1)).scalars())
    return AuditPage(found[:limit], len(found) > limit)
