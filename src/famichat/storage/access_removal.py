"""Records which access was removed, in the transaction that removes it, and marks that transaction.

Every node reads the table `removed_access` twice a second and closes the connections and channels that lost access (see
`actions.events.removed_access`). So a removal reaches every node even if the broker, which is faster, loses it.

Such a transaction must run between two batches of the journal (`Database.between_batches`): then no message that is
committed after it is announced to the person or device that lost access. The domain function that deletes the row calls
one of the functions here; the service layer (`actions.services.Services.write`) refuses to commit a marked transaction
that runs beside the journal. A caller can therefore not choose the wrong method unnoticed.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from sqlalchemy import BigInteger, CheckConstraint, ColumnElement, Integer, String, delete, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from famichat.storage.base import Base, Created, Id, now

KEPT_DAYS = 30
"""For how long rows are kept: after a restore they tell which access was removed since the backup."""

RemovedKind = Literal["conversation", "device", "user"]

_KEY = "famichat.access_removed"


class RemovedAccess(Base):
    """One removal. It has no foreign keys, because it outlives the account and the conversation.

    Attributes:
        id: increases with each row on SQLite, where it is the reading position.
        txid: the id of the PostgreSQL transaction that removed the access, the reading position there; 0 on SQLite.
        kind: what was lost: a conversation, the access of one device, or that of the whole account.
        user_id: who lost it.
        conversation_id: the conversation, if `kind` is "conversation".
        device_id: the device, if `kind` is "device".
        removed_at: when.
    """

    __tablename__ = "removed_access"
    # AUTOINCREMENT never reuses the id of a deleted row (https://www.sqlite.org/autoinc.html).
    __table_args__ = (
        CheckConstraint("kind IN ('conversation', 'device', 'user')", name="kind"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    txid: Mapped[int] = mapped_column(BigInteger, index=True)
    kind: Mapped[RemovedKind] = mapped_column(String(12))
    user_id: Mapped[str] = mapped_column(Id)
    conversation_id: Mapped[str | None] = mapped_column(Id)
    device_id: Mapped[str | None] = mapped_column(Id)
    removed_at: Mapped[Created] = mapped_column(index=True)


@dataclass(frozen=True, slots=True)
class Removals:
    """Rows of `removed_access`, and the position from which to read next.

    Attributes:
        rows: in the order of their ids. A row may be returned again by the next read.
        position: see `removals_since`.
    """

    rows: Sequence[RemovedAccess]
    position: int


def mark_access_removed(session: Session) -> None:
    """Record that this transaction takes a membership, a device or an account away."""
    session.info[_KEY] = True


def access_was_removed(session: Session) -> bool:
    """Return whether this transaction removed access."""
    return _KEY in session.info


def record_left_conversation(session: Session, user_id: str, conversation_id: str) -> None:
    """Record that a user is no longer a member of a conversation."""
    _record(session, "conversation", user_id, conversation_id=conversation_id)


def record_revoked_devices(session: Session, user_id: str, device_ids: Iterable[str]) -> None:
    """Record that devices of a user are signed out."""
    mark_access_removed(session)
    for device_id in device_ids:
        _record(session, "device", user_id, device_id=device_id)


def record_deleted_user(session: Session, user_id: str) -> None:
    """Record that an account, with all its devices and memberships, was deleted."""
    _record(session, "user", user_id)


def newest_position(session: Session) -> int:
    """Return the position behind all removals that are visible now; removals under way are read from there."""
    if _is_postgres(session):
        return int(session.execute(select(func.txid_snapshot_xmin(func.txid_current_snapshot()))).scalar_one())
    return int(session.execute(select(func.coalesce(func.max(RemovedAccess.id), 0))).scalar_one())


def removals_since(session: Session, position: int) -> Removals:
    """Return the removals since a position.

    Ids are assigned before the commit, so on PostgreSQL a row with a smaller id can become visible later, and reading
    by id would miss it. Every transaction below the `xmin` of a snapshot has ended before the snapshot, so its rows
    were visible; all others are read from there. SQLite has one writer, so ids become visible in their order.

    Args:
        session: a transaction that reads one snapshot.
        position: the result of the last read, or `newest_position`. On PostgreSQL a transaction id, on SQLite a row id.
    """
    if _is_postgres(session):
        newer = RemovedAccess.txid >= position
        return Removals(_rows(session, newer), newest_position(session))
    rows = _rows(session, RemovedAccess.id > position)
    return Removals(rows, rows[-1].id if rows else position)


def forget_old_removals(session: Session) -> None:
    """Delete the rows that are older than `KEPT_DAYS`."""
    session.execute(delete(RemovedAccess).where(RemovedAccess.removed_at < now() - timedelta(days=KEPT_DAYS)))


def _record(
    session: Session,
    kind: RemovedKind,
    user_id: str,
    *,
    conversation_id: str | None = None,
    device_id: str | None = None,
) -> None:
    mark_access_removed(session)
    row = RemovedAccess(kind=kind, user_id=user_id, conversation_id=conversation_id, device_id=device_id)
    row.txid = func.txid_current() if _is_postgres(session) else 0
    session.add(row)


def _rows(session: Session, newer: ColumnElement[bool]) -> Sequence[RemovedAccess]:
    return session.execute(select(RemovedAccess).where(newer).order_by(RemovedAccess.id)).scalars().all()


def _is_postgres(session: Session) -> bool:
    return session.get_bind().dialect.name == "postgresql"
