"""An event for objects of which every connection has several."""

import asyncio
from typing import Literal


class SmallEvent:
    """Like `asyncio.Event`, in a fifth of the memory: that one has a `deque`, which reserves 600 bytes when empty."""

    __slots__ = ("_is_set", "_waiters")

    def __init__(self) -> None:
        self._is_set = False
        self._waiters: list[asyncio.Future[None]] = []

    def is_set(self) -> bool:
        """Return whether the event is set."""
        return self._is_set

    def set(self) -> None:
        """Set the event, and wake all tasks that wait for it."""
        self._is_set = True
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    def clear(self) -> None:
        """Reset the event: tasks that wait from now on block until it is set again."""
        self._is_set = False

    async def wait(self) -> Literal[True]:
        """Wait until the event is set."""
        if not self._is_set:
            # A future per task, because a task that is cancelled cancels the future it waits for.
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            try:
                await waiter
            finally:
                if waiter in self._waiters:
                    self._waiters.remove(waiter)
        return True
