"""The journal: the single writer of messages. It assigns `seq` and commits all queued messages at once.

A sender gets the reply only after the commit of the message. The message is announced to the conversation before that
(`on_stored`), in the order of `seq`, even if the sender has disconnected meanwhile. See
docs/decisions/0003-journal.md.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from famichat.chat.journal.batch import Outcome, write_batch
from famichat.chat.journal.entry import Entry, Stored
from famichat.storage.database import Database
from famichat.storage.errors import StorageUnavailable
from famichat.storage.group_commit import GroupCommit
from famichat.telemetry import emit, events

OnStored = Callable[[Stored], None]

MAX_WAITING_BYTES = 64 * 1024 * 1024
"""Limit of the sealed bodies in the queue, in bytes. Further messages are refused until a batch is written."""

MAX_UNCERTAIN = 10_000
"""How many messages with an unknown outcome the journal remembers; the oldest is forgotten first."""


@dataclass(slots=True)
class _Queued:
    """A message in the queue. `begun` is set with its first write."""

    entry: Entry
    begun: bool = False


class Journal:
    """Stores messages in the order in which they are appended.

    If the reply to a commit is lost, its messages may be stored, but are not announced. Their ids are remembered until
    they are found, by the next attempt to write them or when their sender repeats them, and they are announced then.

    Args:
        database: stores the messages.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._queue: GroupCommit[_Queued, Stored] = GroupCommit("journal", self._write)
        self._waiting_bytes = 0
        self._uncertain: dict[str, None] = {}

    @property
    def depth(self) -> int:
        """Number of messages waiting for the next commit."""
        return self._queue.depth

    def append(self, entry: Entry, on_stored: OnStored) -> asyncio.Future[Stored]:
        """Queue a message, synchronously; await the future to know that it is on disk.

        Args:
            entry: the message, sealed.
            on_stored: called in the event loop after the commit and before the future is done, in the order of `seq`;
                not called for a repeat.

        Returns:
            a future of the stored position. It raises `JournalRefusal` if the message was refused, and
            `StorageUnavailable` if it is unknown whether the message was stored; it is safe to append it again with
            the same client id.

        Raises:
            StorageUnavailable: the queue holds its maximum of messages or of `MAX_WAITING_BYTES`.
        """
        if self._waiting_bytes >= MAX_WAITING_BYTES:
            raise StorageUnavailable("journal full")
        future = self._queue.append(_Queued(entry), lambda stored: None if stored.repeat else on_stored(stored))
        self._waiting_bytes += len(entry.body)
        return future

    async def close(self) -> None:
        """Write everything queued, then return."""
        await self._queue.close()

    async def _write(self, batch: list[_Queued]) -> list[Outcome]:
        for queued in batch:
            self._waiting_bytes -= 0 if queued.begun else len(queued.entry.body)
            queued.begun = True
        entries = [queued.entry for queued in batch]
        started = time.perf_counter()
        try:
            outcomes = await write_batch(self._database, entries, self._uncertain)
        except StorageUnavailable:
            self._uncertain |= dict.fromkeys(entry.id for entry in entries)
            for forgotten in list(self._uncertain)[:-MAX_UNCERTAIN]:
                del self._uncertain[forgotten]
            raise
        for entry, outcome in zip(entries, outcomes, strict=True):
            self._uncertain.pop(entry.id, None)
            if isinstance(outcome, Stored):
                self._uncertain.pop(outcome.id, None)
        emit(events.JournalBatchWritten(messages=len(batch), duration_seconds=time.perf_counter() - started))
        return outcomes
