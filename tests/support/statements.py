"""Counts the statements and transactions of a piece of work, so that a query per row or a needless one shows."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Literal, TypeVar
from unittest.mock import patch

from sqlalchemy import event
from sqlalchemy.orm import Session

from famichat.storage.database import Database
from famichat.storage.prepared import _Plan

T = TypeVar("T")
Transaction = Literal["read", "write", "journal"]


def count_statements(database: Database, work: Callable[[Session], T]) -> int:
    """How many statements `work`, which only reads, sends."""
    with read_statements(database) as seen:
        database.run_read(work)
    return len(seen)


@contextmanager
def transactions() -> Iterator[list[Transaction]]:
    """The transactions that requests cause while the block runs, in the order of their beginning.

    Those of background tasks, which have names of their own, are left out.
    """
    seen: list[Transaction] = []

    def noted(name: str, kind: Transaction) -> Any:
        method = getattr(Database, name)

        async def note(self: Database, work: Callable[..., T]) -> T:
            task = asyncio.current_task()
            if task is not None and (task.get_name() == "journal commit" or task.get_name().startswith("Task-")):
                seen.append(kind)
            result: T = await method(self, work)
            return result

        return patch.object(Database, name, note)

    kinds: dict[str, Transaction] = {
        "read": "read",
        "read_for_authentication": "read",
        "transaction": "write",
        "between_batches": "write",
        "on_journal": "journal",
    }
    with ExitStack() as stack:
        for name, kind in kinds.items():
            stack.enter_context(noted(name, kind))
        yield seen


@contextmanager
def read_statements(database: Database) -> Iterator[list[str]]:
    """The statements that read-only transactions send while the block runs."""
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if statement.lstrip().upper().startswith(("SELECT", "WITH")):
            seen.append(statement)

    def prepared(self: _Plan, values: Any) -> Any:
        seen.append(self.sql)
        return parameters(self, values)

    parameters = _Plan.parameters
    event.listen(database._reading, "before_cursor_execute", note)
    try:
        with patch.object(_Plan, "parameters", prepared):  # the driver executes these
            yield seen
    finally:
        event.remove(database._reading, "before_cursor_execute", note)
