"""A line of things to be written, which commits everything that waits at that moment at once.

A commit costs a sync of the disk, whether it carries one thing or five hundred. So while one batch is being written,
what arrives waits together and becomes the next.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from famichat.storage.errors import StorageUnavailable

Item = TypeVar("Item")
Answer = TypeVar("Answer")

MAX_BATCH = 500
MAX_WAITING = 10_000


@dataclass(frozen=True, slots=True)
class _Waiting(Generic[Item, Answer]):
    item: Item
    on_written: Callable[[Answer], None]
    done: asyncio.Future[Answer]


class GroupCommit(Generic[Item, Answer]):
    """Writes things in the order in which they are appended.

    Args:
        name: what it writes, for errors.
        write: commits a batch and answers for each item of it, in order, with what became of it or with the error that
            concerns this item alone; or raises StorageUnavailable, which concerns them all.
    """

    def __init__(self, name: str, write: Callable[[list[Item]], Awaitable[Sequence[Answer | Exception]]]) -> None:
        self._name = name
        self._write = write
        self._waiting: deque[_Waiting[Item, Answer]] = deque()
        self._writing: asyncio.Task[None] | None = None

    @property
    def depth(self) -> int:
        """How many things wait for the next commit."""
        return len(self._waiting)

    def append(self, item: Item, on_written: Callable[[Answer], None]) -> asyncio.Future[Answer]:
        """Put something in line, at once; await the future to know that it is on disk.

        Args:
            item: what to write.
            on_written: called in the event loop after the commit and before the future is done, in the order of the
                line, even when nobody awaits the future any more.

        Raises:
            StorageUnavailable: too much waits already.
        """
        if len(self._waiting) >= MAX_WAITING:
            raise StorageUnavailable(f"{self._name} full")
        done: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(item, on_written, done))
        if self._writing is None:
            self._writing = asyncio.create_task(self._write_all(), name=self._name)
        return done

    async def close(self) -> None:
        """Write everything that waits, then return."""
        if self._writing is not None:
            await self._writing

    async def _write_all(self) -> None:
        try:
            while self._waiting:
                batch = [self._waiting.popleft() for _ in range(min(MAX_BATCH, len(self._waiting)))]
                await self._write_batch(batch)
        finally:
            self._writing = None

    async def _write_batch(self, batch: list[_Waiting[Item, Answer]]) -> None:
        answers: Sequence[Answer | Exception]
        try:
            answers = await self._write([waiting.item for waiting in batch])
        except Exception as error:  # noqa: BLE001 - see below
            # Whatever it was, each of them hears that its thing was not written, and the line goes on.
            answers = [error for _ in batch]
        for waiting, answer in zip(batch, answers, strict=True):
            _settle(waiting, answer)


def _settle(waiting: _Waiting[Item, Answer], answer: Answer | Exception) -> None:
    if not isinstance(answer, Exception):
        waiting.on_written(answer)
    if waiting.done.done():  # nobody waits for the answer
        return
    if isinstance(answer, Exception):
        waiting.done.set_exception(answer)
    else:
        waiting.done.set_result(answer)
