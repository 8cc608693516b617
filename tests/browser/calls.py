"""Counts the work of a page: calls of its functions, and layouts.

Unlike times, counts do not depend on the load of the machine.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from playwright.async_api import CDPSession, Page


@dataclass
class Work:
    """The work of a page since the last question.

    Attributes:
        calls: calls of functions in the scripts of the page.
        layouts: how often the browser laid out the page.
    """

    calls: int
    layouts: int


class Counter:
    """Answers how much a page has worked since the last question."""

    def __init__(self, cdp: CDPSession, origin: str) -> None:
        self._cdp = cdp
        self._origin = origin
        self._layouts = 0

    async def start(self) -> None:
        await self._cdp.send("Profiler.enable")
        await self._cdp.send("Performance.enable")
        await self._cdp.send("Profiler.startPreciseCoverage", {"callCount": True, "detailed": False})
        await self.since_last()

    async def since_last(self) -> Work:
        taken = await self._cdp.send("Profiler.takePreciseCoverage")
        own = [script for script in taken["result"] if script["url"].startswith(self._origin)]
        calls = sum(function["ranges"][0]["count"] for script in own for function in script["functions"])
        before, self._layouts = self._layouts, await self._layout_count()
        return Work(calls, self._layouts - before)

    async def _layout_count(self) -> int:
        found: dict[str, Any] = await self._cdp.send("Performance.getMetrics")
        return int(next(each["value"] for each in found["metrics"] if each["name"] == "LayoutCount"))


@asynccontextmanager
async def counted(page: Page, origin: str) -> AsyncIterator[Counter]:
    """Count the work of a page. Counting slows it down, so times are not to be measured meanwhile."""
    cdp = await page.context.new_cdp_session(page)
    counter = Counter(cdp, origin)
    await counter.start()
    try:
        yield counter
    finally:
        await cdp.detach()
