"""A write queue with group commit: everything queued is committed in one transaction.

A commit costs one disk sync, whether it carries one item or five hundred. Items that arrive while a batch is being
written wait together and form the next batch.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from famichat.storage.errors import StorageUnavailable
from famichat.storage.halving import in_halves
from famichat.telemetry.crash import report_crash

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")

MAX_BATCH = 500
MAX_WAITING = 10_000


@dataclass(frozen=True, slots=True)
class _Waiting(Generic[Item, Outcome]):
    item: Item
    on_written: Callable[[Outcome], None]
    done: asyncio.Future[Outcome]


class GroupCommit(Generic[Item, Outcome]):
    """Writes items in the order in which they are appended.

    Each item is settled on its own: if a batch fails, its halves are written, so that an item fails only if the
    database refuses it alone, or is away. After a failure, batches start small and grow again.

    Args:
        name: name of the queue, for error messages and the task.
        write: commits a batch and returns, in order, an outcome or an exception per item; or raises, if nothing was
            stored or if that is unknown. It is then called again with a part of the batch; see `in_halves`.
    """

    def __init__(self, name: str, write: Callable[[list[Item]], Awaitable[Sequence[Outcome | Exception]]]) -> None:
        self._name = name
        self._write = write
        self._waiting: deque[_Waiting[Item, Outcome]] = deque()
        self._writing: asyncio.Task[None] | None = None
        self._max_batch = MAX_BATCH

    @property
    def depth(self) -> int:
        """Number of items waiting for the next commit."""
        return len(self._waiting)

    def append(self, item: Item, on_written: Callable[[Outcome], None]) -> asyncio.Future[Outcome]:
        """Queue an item immediately; await the returned future to know that it is on disk.

        Args:
            item: the item to write.
            on_written: called in the event loop after the commit, in queue order, before anything that waits for the
                future continues; also called if the future was cancelled.

        Raises:
            StorageUnavailable: `MAX_WAITING` items are queued already.
        """
        if len(self._waiting) >= MAX_WAITING:
            raise StorageUnavailable(f"{self._name} full")
        done: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(item, on_written, done))
        if self._writing is None:
            self._writing = asyncio.create_task(self._write_all(), name=self._name)
        return done

    async def close(self) -> None:
        """Write everything queued, then return."""
        if self._writing is not None:
            await asyncio.wait({self._writing})

    async def _write_all(self) -> None:
        batch: list[_Waiting[Item, Outcome]] = []
        try:
            while self._waiting:
                batch = [self._waiting.popleft() for _ in range(min(self._max_batch, len(self._waiting)))]
                await self._write_batch(batch)
        finally:
            self._writing = None
            # Only a cancelled task leaves anything here: the event loop is being closed.
            for waiting in (*batch, *self._waiting):
                _resolve(waiting, StorageUnavailable(self._name))
            self._waiting.clear()

    async def _write_batch(self, batch: list[_Waiting[Item, Outcome]]) -> None:
        """Write a batch, isolating the items that fail, and settle each part as soon as it is written."""
        async for part in in_halves(batch, self._write_part):
            if isinstance(part.result, Exception):
                answers: Sequence[Outcome | Exception] = [part.result] * len(part.items)
            else:
                answers = part.result
            for waiting, answer in zip(part.items, answers, strict=True):
                self._settle(waiting, answer)

    async def _write_part(self, part: Sequence[_Waiting[Item, Outcome]]) -> Sequence[Outcome | Exception]:
        """Write a part of a batch. The size of the next batch follows what the database can write at once."""
        try:
            answers = await self._write([waiting.item for waiting in part])
        except Exception:
            self._max_batch = max(1, len(part) // 2)
            raise
        self._max_batch = min(MAX_BATCH, max(self._max_batch, 2 * len(part)))
        return answers

    def _settle(self, waiting: _Waiting[Item, Outcome], answer: Outcome | Exception) -> None:
        """Resolve and announce one item. Raises nothing, because the other items of the batch still wait."""
        # In this order, the callbacks of the future run before the outboxes are flushed, which `on_written` schedules:
        # a sender receives the message and the reply in one write.
        _resolve(waiting, answer)
        if not isinstance(answer, Exception):
            try:
                waiting.on_written(answer)
            except Exception as error:  # noqa: BLE001 - a bug; the item is on disk
                report_crash(self._name, error)


def _resolve(waiting: _Waiting[Item, Outcome], answer: Outcome | Exception) -> None:
    if waiting.done.done():  # cancelled by the caller
        return
    if isinstance(answer, Exception):
        waiting.done.set_exception(answer)
    else:
        waiting.done.set_result(answer)
