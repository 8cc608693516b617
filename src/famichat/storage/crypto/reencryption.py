"""Re-encrypts data with the newest vault key, in small steps while the server runs.

    walk = Walk(vault)
    while not walk.is_clean:
        found = await database.read(walk.look)
        walk.advance(found, await database.transaction(partial(write, found)))

A step reads, re-encrypts in memory, then writes in one short transaction, replacing only the values it read: a value
changed concurrently keeps the concurrent change. A value that cannot be decrypted stays as it is. The walk can be
interrupted and restarted at any point; it does not find values that are done.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import inspect, update
from sqlalchemy.orm import Session

from famichat.storage.base import is_future, now
from famichat.storage.crypto.sealed_columns import SealedColumn, sealed_columns
from famichat.storage.crypto.vault import Vault
from famichat.storage.crypto.vault_keys import sealing_key
from famichat.storage.errors import UnsealError

STEP_ROWS = 100
SETTLING = timedelta(seconds=10)
"""After a key has been in use for this long, no write encrypted with an older key can still be in flight."""


@dataclass(frozen=True, slots=True)
class ReencryptionCursor:
    """Position of a walk: the index of the column, and the primary key of the last row processed."""

    column: int = 0
    after: tuple[Any, ...] | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """One value, before and after re-encryption."""

    column: SealedColumn
    key: tuple[Any, ...]
    before: bytes
    after: bytes


@dataclass(frozen=True, slots=True)
class Found:
    """The changes of one step. `next` is where to continue; None at the end of the walk."""

    changes: list[Change]
    unopened: int
    next: ReencryptionCursor | None


class Walk:
    """Walks over all sealed values repeatedly, until one pass finds nothing left to re-encrypt.

    Args:
        vault: decrypts with the old keys and encrypts with the new one.

    Attributes:
        resealed: number of values re-encrypted so far.
        unopened: number of values that could not be decrypted in the last complete pass.
        is_clean: whether the last complete pass found nothing to do.
    """

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self._place = ReencryptionCursor()
        self._met = self._closed = 0
        self.resealed = self.unopened = 0
        self.is_clean = False

    def look(self, session: Session) -> Found:
        """Read the next values and re-encrypt them in memory."""
        columns = sealed_columns()
        column, version = columns[self._place.column], self._vault.sealing_version
        rows = session.execute(column.sealed_otherwise(version, self._place.after).limit(STEP_ROWS)).scalars().all()
        changes = [change for row in rows if (change := self._reencrypt(column, row)) is not None]
        if len(rows) == STEP_ROWS:
            following: ReencryptionCursor | None = ReencryptionCursor(
                self._place.column, tuple(inspect(rows[-1]).identity)
            )
        else:
            following = ReencryptionCursor(self._place.column + 1) if self._place.column + 1 < len(columns) else None
        return Found(changes, len(rows) - len(changes), following)

    def advance(self, found: Found, written: int) -> None:
        """Record that `written` of the values found were written, and continue after them."""
        self.resealed += written
        self._met += len(found.changes)
        self._closed += found.unopened
        self._place = found.next or ReencryptionCursor()
        self.is_clean = found.next is None and self._met == 0
        if found.next is None:
            self.unopened = self._closed
            self._met = self._closed = 0

    def _reencrypt(self, column: SealedColumn, row: Any) -> Change | None:
        before, bound_to = getattr(row, column.name), column.bound_to(row)
        try:
            opened = self._vault.open(column.purpose, before, bound_to)
        except UnsealError:
            return None
        after = self._vault.seal(column.purpose, opened, bound_to)
        return Change(column, tuple(inspect(row).identity), before, after)


def write(found: Found, session: Session) -> int:
    """Write the re-encrypted values that no one changed meanwhile. Returns how many were written."""
    return sum(_write(session, change) for change in found.changes)


def finish(session: Session, settling: timedelta) -> bool:
    """Record, after a clean walk, that nothing is left that an older key encrypted.

    Args:
        session: the transaction.
        settling: how long the current key must have been in use; see `SETTLING`.

    Returns:
        False if the key is too new, because writes encrypted with an older key may still be in flight.
    """
    key = sealing_key(session)
    if key.sealing_since is not None and is_future(key.sealing_since):
        key.sealing_since = now()  # the clock was ahead; wait again from now
    if key.sealing_since is None or key.sealing_since + settling > now():
        return False
    key.resealed_at = now()
    return True


def _write(session: Session, change: Change) -> int:
    table = change.column.record.__table__
    # Re-encryption is not a change of the row: columns with an `onupdate`, such as `updated_at`, keep their values.
    kept = {each.name: each for each in table.columns if each.onupdate is not None}
    same_row = [column == value for column, value in zip(table.primary_key, change.key, strict=True)]
    written = table.columns[change.column.name]
    statement = update(table).where(*same_row, written == change.before).values({**kept, written.name: change.after})
    return session.connection().execute(statement).rowcount
