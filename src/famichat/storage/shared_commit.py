"""Commits the work of several write queues in one transaction.

A commit costs one disk sync. Messages and receipts have queues of their own, and are written by the same thread: their
batches that wait at the same time share a transaction.
"""

import asyncio
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, TypeVar

from famichat.storage.errors import StorageUnavailable
from famichat.telemetry import emit, events

T = TypeVar("T")

Write = Callable[[Any], T]
"""Reads and writes with the driver's cursor, in the journal's thread. May be called again after a rollback."""


class JournalPort(Protocol):
    """The database, as `SharedCommit` uses it."""

    refused: tuple[type[Exception], ...]

    def on_journal(self, work: Callable[[], list[Any]]) -> Any:
        """Run `work` in the journal's thread."""

    def journal_transaction(self, lock: Collection[str] = ()) -> AbstractContextManager[Any]:
        """Yield a cursor in a transaction; see `Database.journal_transaction`."""


@dataclass(frozen=True, slots=True, eq=False)
class _Work:
    operation: str
    write: Write[Any]
    conversation_ids: Collection[str]
    done: asyncio.Future[Any]


class SharedCommit:
    """Runs the batches of the journal's queues, those that wait at the same time in one transaction.

    Args:
        database: the database.
    """

    def __init__(self, database: JournalPort) -> None:
        self._database = database
        self._waiting: list[_Work] = []
        self._committing: asyncio.Task[None] | None = None

    async def run(self, operation: str, write: Write[T], conversation_ids: Collection[str]) -> T:
        """Run `write` in a transaction and return its result after the commit.

        Args:
            operation: the name of the queue, for telemetry.
            write: reads and writes.
            conversation_ids: the conversations whose rows it locks.

        Raises:
            StorageUnavailable: nothing was stored, or the commit was not confirmed.
            Exception: any exception that `write` raises, after a rollback.
        """
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Work(operation, write, conversation_ids, done))
        if self._committing is None:
            self._committing = asyncio.create_task(self._run_all(), name="journal commit")
        return await done

    async def _run_all(self) -> None:
        works: list[_Work] = []
        try:
            while self._waiting:
                works, self._waiting = self._waiting, []
                try:
                    outcomes = await self._database.on_journal(partial(self._commit, works))
                except Exception as error:  # noqa: BLE001 - the thread did not answer in time, or the queue gets a bug
                    outcomes = [error] * len(works)
                for work, outcome in zip(works, outcomes, strict=True):
                    _resolve(work, outcome)
                await asyncio.sleep(0)  # the queues of this transaction submit their next batches for the next one
        finally:
            self._committing = None
            # Only a cancelled task leaves anything here: the event loop is being closed.
            for work in (*works, *self._waiting):
                _resolve(work, StorageUnavailable(work.operation))
            self._waiting.clear()

    def _commit(self, works: list[_Work]) -> list[Any]:
        """Return the result or the exception of each work. Runs in the journal's thread."""
        if len(works) > 1:
            try:
                return self._in_one_transaction(works)
            except StorageUnavailable as error:  # perhaps stored: the queues find out
                return [error] * len(works)
            except Exception:  # noqa: BLE001, S110 - rolled back because of one work; the others must not fail  # nosec B110
                pass
        return [self._alone(work) for work in works]

    def _alone(self, work: _Work) -> Any:
        try:
            return self._in_one_transaction([work])[0]
        except self._database.refused as error:
            emit(events.StorageFailed(operation=work.operation, error_type=type(error).__name__))
            unavailable = StorageUnavailable(work.operation)
            unavailable.__cause__ = error
            return unavailable
        except Exception as error:  # noqa: BLE001 - whatever it is, the queue gets it
            return error

    def _in_one_transaction(self, works: list[_Work]) -> list[Any]:
        # Each work locks its conversations in the order of their ids. For several, lock them all before, in that order.
        lock = {each for work in works for each in work.conversation_ids} if len(works) > 1 else ()
        with self._database.journal_transaction(sorted(lock)) as cursor:
            return [work.write(cursor) for work in works]


def _resolve(work: _Work, outcome: Any) -> None:
    if work.done.done():  # cancelled by the caller
        return
    if isinstance(outcome, Exception):
        work.done.set_exception(outcome)
    else:
        work.done.set_result(outcome)
