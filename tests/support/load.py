"""Clients that exchange messages during fault injection, and the history of their observations.

load = Load(server.socket_url, seats)
async with load:
    await asyncio.sleep(1)
    server.kill()
    await server.start()
load.records  # for the checker
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Self

from tests.support.chatter import Chatter, Seat, eavesdrop
from tests.support.history import Record, Settled


class Load:
    """All the devices of a run. Leaving the block quiets them down and waits until everything is answered."""

    def __init__(
        self,
        url: str,
        seats: Iterable[Seat],
        *,
        strangers: Iterable[Seat] = (),
        pace: float = 0.02,
        size: int = 0,
        seed: int = 0,
        patience: float = 20.0,
    ) -> None:
        self.records: list[Record] = []
        self.chatters = [
            Chatter(url, seat, self.records, pace=pace, size=size, seed=seed + number)
            for number, seat in enumerate(seats)
        ]
        self._url = url
        self._strangers = tuple(strangers)
        self._patience = patience
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        work = [chatter.run() for chatter in self.chatters]
        work += [eavesdrop(self._url, seat, self.records) for seat in self._strangers]
        self._tasks = [asyncio.create_task(coroutine) for coroutine in work]
        if not await self.wait_until(lambda: all(chatter.joined.is_set() for chatter in self.chatters)):
            await self._end()
            raise TimeoutError("not all devices could join")
        return self

    async def __aexit__(self, kind: type[BaseException] | None, _: object, __: TracebackType | None) -> None:
        try:
            if kind is None:
                await self.settle()
        finally:
            await self._end()

    async def wait_until(self, is_so: Callable[[], bool], patience: float | None = None) -> bool:
        """Wait for a condition with a time limit; return whether it became true. A dead device ends the wait."""
        deadline = time.monotonic() + (patience or self._patience)
        while not is_so() and self._goes_on(deadline):  # noqa: ASYNC110 - a state of many, not one event
            await asyncio.sleep(0.02)
        return is_so()

    async def talk_on(self, more: int = 20, patience: float | None = None) -> None:
        """Wait until this many more messages are acknowledged, which proves that there is traffic."""
        before = self.outcomes["acked"]
        if not await self.wait_until(lambda: self.outcomes["acked"] >= before + more, patience):
            raise TimeoutError(f"the talk has stopped: {dict(self.outcomes)}")

    def lose_connections(self) -> None:
        """Disconnect all clients; they reconnect automatically."""
        for chatter in self.chatters:
            chatter.lose_connection()

    async def settle(self) -> None:
        """Stop sending; wait until everything is answered and all devices have reached the head."""
        for chatter in self.chatters:
            chatter.speaking = False
        await self.wait_until(self._is_settled)
        self.records.extend(Settled(chatter.seat.device, chatter.seat.conv) for chatter in self.chatters)

    def _goes_on(self, deadline: float) -> bool:
        return time.monotonic() < deadline and not any(task.done() for task in self._tasks)

    async def _end(self) -> None:
        for task in self._tasks:
            task.cancel()
        for ended in await asyncio.gather(*self._tasks, return_exceptions=True):
            if isinstance(ended, Exception):
                raise ended

    def _is_settled(self) -> bool:
        heads = Counter[str]()
        for chatter in self.chatters:
            # Deliveries may be late, so a device is not at the head before it has every acknowledged message.
            heads[chatter.seat.conv] = max(heads[chatter.seat.conv], chatter.reached, chatter.stored)
        return all(
            chatter.joined.is_set() and not chatter.drafts and chatter.reached == heads[chatter.seat.conv]
            for chatter in self.chatters
        )

    @property
    def outcomes(self) -> Counter[str]:
        """Count the attempts by outcome: "acked", "timeout", or an error code."""
        return sum((chatter.outcomes for chatter in self.chatters), Counter())

    @property
    def gaps(self) -> int:
        """Return how often clients had to fetch messages that were not pushed."""
        return sum(chatter.gaps for chatter in self.chatters)

    @property
    def closings(self) -> Counter[int | None]:
        """With which codes connections were closed; 1006 stands for no word at all, None for our own leaving."""
        return sum((chatter.closings for chatter in self.chatters), Counter())
