"""Counts the statements and transactions of a piece of work, so that a query per row or a needless one shows."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Literal, TypeVar
from unittest.mock import patch

from sqlalchemy import event
from sqlalchemy.orm import Session

from famichat.storage.database import Database

T = TypeVar("T")
Transaction = Literal["read", "write", "journal"]


def count_statements(database: Database, work: Callable[[Session], T]) -> int:
    """How many statements `work`, which only reads, sends."""
    with _listening(database) as seen:
        database.run_read(work)
    return len(seen)


@contextmanager
def transactions() -> Iterator[list[Transaction]]:
    """The transactions of every database of this process, in the order of their beginning, while the block runs."""
    seen: list[Transaction] = []
    run, run_read, journal_transaction = Database.run, Database.run_read, Database.journal_transaction

    def noted_run(self: Database, work: Callable[[Session], T]) -> T:
        seen.append("write")
        return run(self, work)

    def noted_read(self: Database, work: Callable[[Session], T]) -> T:
        seen.append("read")
        return run_read(self, work)

    def noted_journal(self: Database) -> AbstractContextManager[Any]:
        seen.append("journal")
        return journal_transaction(self)

    with (
        patch.object(Database, "run", noted_run),
        patch.object(Database, "run_read", noted_read),
        patch.object(Database, "journal_transaction", noted_journal),
    ):
        yield seen


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
