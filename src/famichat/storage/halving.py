"""Isolates the items that make a batch fail: works on the whole batch, then on its halves, down to single items.

A batch fails because of one item (a damaged row, a violated constraint), because of its size (a disk that is almost
full, a statement that exceeds its time limit), or because the database is away. Halving keeps the other items working
in the first two cases. It stops at once in the third, and in any case after `HALVING_SECONDS`, so that callers get an
answer.

A failure may also hide a success: the reply to a commit was lost. So every item is tried twice before it fails, in a
part of the batch or, if it is the only one, on its own.
"""

import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Generic, NamedTuple, TypeVar

from famichat.storage.errors import StorageUnavailable, StorageUnreachable
from famichat.telemetry.crash import report_crash

Item = TypeVar("Item")
Result = TypeVar("Result")

HALVING_SECONDS = 2.0


class Part(NamedTuple, Generic[Item, Result]):
    """A part of a batch, with the result of the work on it, or with the error that no smaller part could avoid."""

    items: Sequence[Item]
    result: Result | Exception


async def in_halves(
    items: Sequence[Item], work: Callable[[Sequence[Item]], Awaitable[Result]]
) -> AsyncIterator[Part[Item, Result]]:
    """Do `work` on all items at once; where it raises, do it on each half.

    Args:
        items: the batch.
        work: called with consecutive parts of the batch, in order. After a failure it is called again with some of the
            same items, so it must be idempotent, or find out whether the failed call had an effect.

    Yields:
        the parts, in order. Together they contain every item once. Of a part with more than one item, the result is an
        error only if the database is unreachable or `HALVING_SECONDS` have passed.
    """
    waiting, gives_up_at = deque([items] if items else []), time.monotonic() + HALVING_SECONDS
    given_up: Exception | None = None
    repeated = False
    while waiting:
        part = waiting.popleft()
        if given_up is not None:
            yield Part(part, given_up)
            continue
        try:
            result = await work(part)
        except Exception as error:  # noqa: BLE001 - whatever it is, the caller gets it for the items concerned
            if isinstance(error, StorageUnreachable) or time.monotonic() > gives_up_at:
                given_up = error
            elif len(part) > 1:
                middle = len(part) // 2
                waiting.extendleft([part[middle:], part[:middle]])
                continue
            elif len(items) == 1 and not repeated:
                repeated = True
                waiting.append(part)
                continue
            yield Part(part, error)
        else:
            yield Part(part, result)


async def without_failures(
    task: str, items: Sequence[Item], work: Callable[[Sequence[Item]], Awaitable[Result]]
) -> AsyncIterator[tuple[Sequence[Item], Result]]:
    """Do `work` as `in_halves` does; report the items for which it fails, and leave them out.

    Args:
        task: the background task, for the report.
        items: the batch.
        work: see `in_halves`.

    Yields:
        the parts that succeeded and their results, in order.
    """
    async for part in in_halves(items, work):
        if not isinstance(part.result, Exception):
            yield part.items, part.result
        elif not isinstance(part.result, StorageUnavailable):  # which the database has reported
            report_crash(task, part.result)
