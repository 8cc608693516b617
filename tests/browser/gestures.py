"""Touch gestures that Playwright has no methods for."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from playwright.async_api import CDPSession, Locator

from tests.browser.household import Person


async def hold(who: Person, what: Locator) -> None:
    """Hold a finger on an element until a dialog opens."""
    async with _finger(who, what) as (session, point):
        await _touch(session, "touchStart", point)
        await who.page.get_by_role("dialog").wait_for()
        await _touch(session, "touchEnd")


async def swipe(who: Person, what: Locator, right: float, down: float = 0) -> None:
    """Move a finger from the middle of an element, in steps."""
    async with _finger(who, what) as (session, (x, y)):
        await _touch(session, "touchStart", (x, y))
        for step in range(1, 9):
            await _touch(session, "touchMove", (x + right * step / 8, y + down * step / 8))
        await _touch(session, "touchEnd")


@asynccontextmanager
async def held(who: Person, what: Locator) -> AsyncIterator[Callable[[float, float], Awaitable[None]]]:
    """Hold a finger on an element, and lift it at the end. Yields how to move it, relative to the element."""
    async with _finger(who, what) as (session, (x, y)):
        await _touch(session, "touchStart", (x, y))

        async def move(right: float, down: float) -> None:
            await _touch(session, "touchMove", (x + right, y + down))

        yield move
        await _touch(session, "touchEnd")


@asynccontextmanager
async def _finger(who: Person, what: Locator) -> AsyncIterator[tuple[CDPSession, tuple[float, float]]]:
    await what.scroll_into_view_if_needed()
    box = await what.bounding_box()
    assert box
    session = await who.context.new_cdp_session(who.page)
    yield session, (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    await session.detach()


async def _touch(session: CDPSession, kind: str, *points: tuple[float, float]) -> None:
    touches: list[dict[str, Any]] = [{"x": x, "y": y} for x, y in points]
    await session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": touches})
