"""The journal: the one writer of messages, which commits everything that waits at that moment at once.

A commit costs a sync of the disk, whether it carries one message or five hundred. So while one batch is being written,
those that arrive wait together and become the next. A sender hears of a message only after the commit that holds it,
and the others hear of it first (`on_stored`), in the order of `seq`, even when the sender is gone by then.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from famichat.storage.batch import Outcome, write_batch
from famichat.storage.database import Database
from famichat.storage.entry import Entry, Stored
from famichat.storage.errors import StorageUnavailable
from famichat.telemetry import emit, events

OnStored = Callable[[Stored], None]

MAX_BATCH = 500
MAX_WAITING = 10_000
MAX_WAITING_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class _Waiting:
    entry: Entry
    on_stored: OnStored
    done: asyncio.Future[Stored]


class Journal:
    """Stores messages in the order in which they are appended, and gives each its `seq`.

    Args:
        database: where the messages go.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: deque[_Waiting] = deque()
        self._waiting_bytes = 0
        self._writing: asyncio.Task[None] | None = None

    @property
    def depth(self) -> int:
        """How many messages wait for the next commit."""
        return len(self._waiting)

    def append(self, entry: Entry, on_stored: OnStored) -> asyncio.Future[Stored]:
        """Put a message in line, at once; await the future to know that it is on disk.

        Args:
            entry: the message, sealed.
            on_stored: called in the event loop after the commit and before the future is done, in the order of `seq`;
                not called for a repeat.

        Returns:
            a future that gives where the message is, or raises `JournalRefusal` (this message may not be stored) or
            `StorageUnavailable` (it was not stored; the same message may be sent again).

        Raises:
            StorageUnavailable: too many wait already.
        """
        if len(self._waiting) >= MAX_WAITING or self._waiting_bytes >= MAX_WAITING_BYTES:
            raise StorageUnavailable("journal full")
        waiting = _Waiting(entry, on_stored, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        self._waiting_bytes += len(entry.body)
        if self._writing is None:
            self._writing = asyncio.create_task(self._write_all(), name="journal")
        return waiting.done

    async def close(self) -> None:
        """Write everything that waits, then return."""
        if self._writing is not None:
            await self._writing

    async def _write_all(self) -> None:
        try:
            while self._waiting:
                batch = [self._waiting.popleft() for _ in range(min(MAX_BATCH, len(self._waiting)))]
                self._waiting_bytes -= sum(len(waiting.entry.body) for waiting in batch)
                await self._write(batch)
        finally:
            self._writing = None

    async def _write(self, batch: list[_Waiting]) -> None:
        started = time.perf_counter()
        outcomes: list[Outcome]
        try:
            outcomes = await write_batch(self._database, [waiting.entry for waiting in batch])
        except StorageUnavailable as error:
            outcomes = [error for _ in batch]
        else:
            emit(events.JournalBatchWritten(messages=len(batch), duration_seconds=time.perf_counter() - started))
        for waiting, outcome in zip(batch, outcomes, strict=True):
            _settle(waiting, outcome)


def _settle(waiting: _Waiting, outcome: Outcome) -> None:
    if isinstance(outcome, Stored) and not outcome.repeat:
        waiting.on_stored(outcome)
    if waiting.done.done():  # the sender did not wait for the answer
        return
    if isinstance(outcome, Stored):
        waiting.done.set_result(outcome)
    else:
        waiting.done.set_exception(outcome)
