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
from famichat.telemetry import emit, events
from famichat.telemetry.location import raised_at

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

    Args:
        name: name of the queue, for error messages and the task.
        write: commits a batch and returns, in order, an outcome or an exception per item; or raises
            StorageUnavailable, which then applies to every item of the batch.
    """

    def __init__(self, name: str, write: Callable[[list[Item]], Awaitable[Sequence[Outcome | Exception]]]) -> None:
        self._name = name
        self._write = write
        self._waiting: deque[_Waiting[Item, Outcome]] = deque()
        self._writing: asyncio.Task[None] | None = None

    @property
    def depth(self) -> int:
        """Number of items waiting for the next commit."""
        return len(self._waiting)

    def append(self, item: Item, on_written: Callable[[Outcome], None]) -> asyncio.Future[Outcome]:
        """Queue an item immediately; await the returned future to know that it is on disk.

        Args:
            item: the item to write.
            on_written: called in the event loop after the commit, in queue order, before the future resolves; also
                called if the future was cancelled.

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
            await self._writing

    async def _write_all(self) -> None:
        try:
            while self._waiting:
                batch = [self._waiting.popleft() for _ in range(min(MAX_BATCH, len(self._waiting)))]
                await self._write_batch(batch)
        finally:
            self._writing = None

    async def _write_batch(self, batch: list[_Waiting[Item, Outcome]]) -> None:
        answers: Sequence[Outcome | Exception]
        try:
            answers = await self._write([waiting.item for waiting in batch])
        except Exception as error:  # noqa: BLE001 - see below
            # Whatever failed, every caller of the batch gets the error, and the queue continues.
            answers = [error for _ in batch]
        for waiting, answer in zip(batch, answers, strict=True):
            self._settle(waiting, answer)

    def _settle(self, waiting: _Waiting[Item, Outcome], answer: Outcome | Exception) -> None:
        if not isinstance(answer, Exception):
            try:
                waiting.on_written(answer)
            except Exception as error:  # noqa: BLE001 - a bug; the item is on disk, and the others still wait
                where = raised_at(error)
                emit(
                    events.BackgroundTaskCrashed(
                        task=self._name, error_type=type(error).__name__, where=where, restart_seconds=0
                    )
                )
        _resolve(waiting, answer)


def _resolve(waiting: _Waiting[Item, Outcome], answer: Outcome | Exception) -> None:
    if waiting.done.done():  # cancelled by the caller
        return
    if isinstance(answer, Exception):
        waiting.done.set_exception(answer)
    else:
        waiting.done.set_result(answer)
