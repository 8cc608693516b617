"""The journal: the one writer of messages. It gives each its `seq`, in one commit for all that wait.

A sender hears of a message only after the commit that holds it, and the others hear of it first (`on_stored`), in the
order of `seq`, even when the sender is gone by then.
"""

import asyncio
import time
from collections.abc import Callable

from famichat.chat.journal.batch import Outcome, write_batch
from famichat.chat.journal.entry import Entry, Stored
from famichat.storage.database import Database
from famichat.storage.errors import StorageUnavailable
from famichat.storage.group_commit import GroupCommit
from famichat.telemetry import emit, events

OnStored = Callable[[Stored], None]

MAX_WAITING_BYTES = 64 * 1024 * 1024


class Journal:
    """Stores messages in the order in which they are appended.

    Args:
        database: where the messages go.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._line: GroupCommit[Entry, Stored] = GroupCommit("journal", self._write)
        self._waiting_bytes = 0

    @property
    def depth(self) -> int:
        """How many messages wait for the next commit."""
        return self._line.depth

    def append(self, entry: Entry, on_stored: OnStored) -> asyncio.Future[Stored]:
        """Put a message in line, at once; await the future to know that it is on disk.

        Args:
            entry: the message, sealed.
            on_stored: called in the event loop after the commit and before the future is done, in the order of `seq`;
                not called for a repeat.

        Returns:
            a future that gives where the message is, or raises `JournalRefusal` (this message may not be stored) or
            `StorageUnavailable` (nobody knows that it was stored; the same message may be sent again).

        Raises:
            StorageUnavailable: too many wait already, or too many bytes.
        """
        if self._waiting_bytes >= MAX_WAITING_BYTES:
            raise StorageUnavailable("journal full")
        future = self._line.append(entry, lambda stored: None if stored.repeat else on_stored(stored))
        self._waiting_bytes += len(entry.body)
        return future

    async def close(self) -> None:
        """Write everything that waits, then return."""
        await self._line.close()

    async def _write(self, entries: list[Entry]) -> list[Outcome]:
        self._waiting_bytes -= sum(len(entry.body) for entry in entries)
        started = time.perf_counter()
        outcomes = await write_batch(self._database, entries)
        emit(events.JournalBatchWritten(messages=len(entries), duration_seconds=time.perf_counter() - started))
        return outcomes
