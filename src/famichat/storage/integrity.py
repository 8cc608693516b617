"""Checks a database for damage: the structure of an SQLite file, and the checksums of the rows of both databases."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

from sqlalchemy import inspect, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session, lazyload

from famichat.storage.base import Base
from famichat.storage.checksum import Checked

_BATCH = 100
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


def damaged_rows(session: Session, pause: Callable[[], None] = lambda: None) -> Iterator[str]:
    """Yield the table and primary key of each row whose checksum does not match, and each table that is unreadable.

    Args:
        session: the transaction.
        pause: is called after each `_BATCH` rows; a running server uses the processor meanwhile.
    """
    for mapper in Base.registry.mappers:
        if not issubclass(mapper.class_, Checked):
            continue
        rows = select(mapper.class_).options(lazyload("*")).execution_options(yield_per=_BATCH)
        try:
            for batch in session.execute(rows).scalars().partitions():
                for row in batch:
                    if not row.is_intact:
                        yield f"{mapper.local_table} {'/'.join(map(str, inspect(row).identity))}"
                pause()
        except (DBAPIError, ValueError, TypeError) as error:
            yield f"{mapper.local_table} ({type(error).__name__})"
