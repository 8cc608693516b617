"""Seals anew, with the newest key, what older ones have sealed: in small steps, while everybody goes on talking.

    walk = Walk(vault)
    while not walk.is_clean:
        found = await database.read(walk.look)
        walk.went(found, await database.transaction(partial(write, found)))

A step looks first, seals in memory, and then writes in one short transaction, only over what it has seen: a value that
somebody changes at the same moment is left to whoever changed it. One that does not open stays as it is. The walk may
be ended anywhere and begun anew: what is done is not found again.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import inspect, update
from sqlalchemy.orm import Session

from famichat.storage.base import now
from famichat.storage.crypto.sealed_columns import SealedColumn, sealed_columns
from famichat.storage.crypto.vault import Vault
from famichat.storage.crypto.vault_keys import sealing_key
from famichat.storage.errors import UnsealError

STEP_ROWS = 100
SETTLING = timedelta(seconds=10)
"""So long after a key began to seal, nothing can be under way any more that an older one has sealed."""


@dataclass(frozen=True, slots=True)
class ReencryptionCursor:
    """How far a walk is: the number of the column, and the key of the row after which it goes on."""

    column: int = 0
    after: tuple[Any, ...] | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """One value, as it was found and as it is to be."""

    column: SealedColumn
    key: tuple[Any, ...]
    before: bytes
    after: bytes


@dataclass(frozen=True, slots=True)
class Found:
    """What one step is to change. `next` is where to go on; None at the end of the walk."""

    changes: list[Change]
    unopened: int
    next: ReencryptionCursor | None


class Walk:
    """Goes through everything that is sealed, again and again, until it meets nothing more to do.

    Args:
        vault: has the old keys, and seals with the new one.

    Attributes:
        resealed: how many values it has sealed anew.
        unopened: how many did not open, the last time it came to an end.
        is_clean: whether it has come to an end, the last time, without meeting anything to do.
    """

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self._place = ReencryptionCursor()
        self._met = self._closed = 0
        self.resealed = self.unopened = 0
        self.is_clean = False

    def look(self, session: Session) -> Found:
        """Find the next values, and seal them anew."""
        columns = sealed_columns()
        column, version = columns[self._place.column], self._vault.sealing_version
        rows = session.execute(column.sealed_otherwise(version, self._place.after).limit(STEP_ROWS)).scalars().all()
        changes = [change for row in rows if (change := self._anew(column, row)) is not None]
        if len(rows) == STEP_ROWS:
            following: ReencryptionCursor | None = ReencryptionCursor(
                self._place.column, tuple(inspect(rows[-1]).identity)
            )
        else:
            following = ReencryptionCursor(self._place.column + 1) if self._place.column + 1 < len(columns) else None
        return Found(changes, len(rows) - len(changes), following)

    def went(self, found: Found, written: int) -> None:
        """Go on from there, after so many of the values found were written."""
        self.resealed += written
        self._met += len(found.changes)
        self._closed += found.unopened
        self._place = found.next or ReencryptionCursor()
        self.is_clean = found.next is None and self._met == 0
        if found.next is None:
            self.unopened = self._closed
            self._met = self._closed = 0

    def _anew(self, column: SealedColumn, row: Any) -> Change | None:
        before, bound_to = getattr(row, column.name), column.bound_to(row)
        try:
            opened = self._vault.open(column.purpose, before, bound_to)
        except UnsealError:
            return None
        after = self._vault.seal(column.purpose, opened, bound_to)
        return Change(column, tuple(inspect(row).identity), before, after)


def write(found: Found, session: Session) -> int:
    """Write what was sealed anew, where nobody has written meanwhile; answers how many values that were."""
    return sum(_write(session, change) for change in found.changes)


def finish(session: Session, settling: timedelta) -> bool:
    """Write down that nothing older is left, after a walk that came out clean.

    Args:
        session: the transaction.
        settling: how long ago the key must have begun to seal.

    Returns:
        whether it could be: what was sealed before the new key began to be used may be under way still.
    """
    key = sealing_key(session)
    if key.sealing_since is None or key.sealing_since + settling > now():
        return False
    key.resealed_at = now()
    return True


def _write(session: Session, change: Change) -> int:
    table = change.column.record.__table__
    kept = {each.name: each for each in table.columns if each.onupdate is not None}  # nobody has changed anything
    same_row = [column == value for column, value in zip(table.primary_key, change.key, strict=True)]
    written = table.columns[change.column.name]
    statement = update(table).where(*same_row, written == change.before).values({**kept, written.name: change.after})
    return session.connection().execute(statement).rowcount
