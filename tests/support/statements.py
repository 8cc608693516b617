"""Counts the statements that a piece of work sends to the database, so that a query per row shows itself."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from sqlalchemy import event
from sqlalchemy.orm import Session

from famichat.storage.database import Database

T = TypeVar("T")


def count_statements(database: Database, work: Callable[[Session], T]) -> int:
    """How many statements `work`, which only reads, sends."""
    with _listening(database) as seen:
        database.run_read(work)
    return len(seen)


@contextmanager
def _listening(database: Database) -> Iterator[list[str]]:
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if statement.lstrip().upper().startswith(("SELECT", "WITH")):
            seen.append(statement)

    event.listen(database._reading, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(database._reading, "before_cursor_execute", note)
