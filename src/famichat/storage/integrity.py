"""Checks a database for damage: the structure of an SQLite file, and the checksums of the rows of both databases."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy import inspect, select, tuple_
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session, lazyload

from famichat.storage.base import Base
from famichat.storage.checksum import Checked

_PAGE = 100  # rows
_INSTRUCTIONS = 100_000  # of SQLite's virtual machine: some milliseconds


def find_damage(file: Path, is_stopping: Callable[[], bool] | None = None) -> str | None:
    """Return the first problem that SQLite finds in a database file, or None. The file is opened read-only.

    SQLite compares each index with its table, and each foreign key with the row that it refers to.

    Args:
        file: the file.
        is_stopping: is called now and then, and interrupts the check by returning True.
    """
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            connection.set_progress_handler(is_stopping, _INSTRUCTIONS)
            found = str(connection.execute("PRAGMA integrity_check(1)").fetchone()[0])
            broken = connection.execute("PRAGMA foreign_key_check").fetchone()
    except sqlite3.DatabaseError as error:
        return str(error)
    if found == "ok" and broken is not None:
        return f"a row of {broken[0]} refers to a missing row of {broken[2]}"
    return None if found == "ok" else found


class RowScan:
    """Compares all rows with their checksums, a page at a time.

    Each page can be read in a transaction of its own: one transaction for all rows would keep SQLite from reusing its
    WAL, and make every write slower.

    Attributes:
        done: whether all tables have been read.
    """

    def __init__(self) -> None:
        self._records = [mapper.class_ for mapper in Base.registry.mappers if issubclass(mapper.class_, Checked)]
        self._after: tuple[Any, ...] | None = None
        self.done = False

    def page(self, session: Session) -> list[str]:
        """Read the next rows, and return what is damaged.

        Returns:
            The table and primary key of each row whose checksum does not match, or the table if it is unreadable.
        """
        record = self._records[0]
        try:
            damaged, self._after = _damaged(session, record, self._after)
        except (DBAPIError, ValueError, TypeError) as error:
            damaged, self._after = [f"{inspect(record).local_table} ({type(error).__name__})"], None
        if self._after is None:
            self._records = self._records[1:]
            self.done = not self._records
        return damaged


def damaged_rows(session: Session) -> Iterator[str]:
    """Yield what a `RowScan` of all rows finds, in one transaction."""
    scan = RowScan()
    while not scan.done:
        yield from scan.page(session)


def _damaged(
    session: Session, record: type[Any], after: tuple[Any, ...] | None
) -> tuple[list[str], tuple[Any, ...] | None]:
    """Return the damaged rows of the page after a key, and the key of the last row if more may follow."""
    columns = inspect(record).primary_key
    rows = select(record).options(lazyload("*")).order_by(*columns).limit(_PAGE)
    if after is not None:
        rows = rows.where(tuple_(*columns) > tuple_(*after, types=[column.type for column in columns]))
    page = [(inspect(row).identity, row) for row in session.scalars(rows)]
    damaged = [f"{inspect(record).local_table} {'/'.join(map(str, key))}" for key, row in page if not row.is_intact]
    return damaged, page[-1][0] if len(page) == _PAGE else None
