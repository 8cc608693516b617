"""Every screen works with a screen reader, at large sizes and from right to left."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page

from tests.browser.household import ASK_AXE, AXE, Person, Server, someone
from tests.browser.screens import PHONE, WIDE, Scene

pytestmark = pytest.mark.timeout(240)
LEAST_SCREENS: Final = 40
BY_DAY: Final[list[tuple[Any, Any]]] = [("light", {})]
# Light and dark themes differ in colours only.
BY_DAY_AND_NIGHT: Final[list[tuple[Any, Any]]] = [*BY_DAY, ("dark", {"runOnly": ["color-contrast"]})]
USUAL_PX, LARGE_PX = 16, 32

# Elements that overflow the window horizontally, or overflow a container without horizontal scrolling.
_BEYOND: Final = """wide => {
    const named = element => element.tagName.toLowerCase() + "." + element.className
    const scrolls = [...document.querySelectorAll("body, body *")].filter(element =>
        element.scrollWidth > element.clientWidth + 1 && element.clientWidth > 1 && !element.closest("table, .frames")
        && !element.matches("input, textarea, select") && getComputedStyle(element).textOverflow !== "ellipsis"
        && ["auto", "scroll", "hidden"].includes(getComputedStyle(element).overflowX))
    const outside = [...document.querySelectorAll("button, a, input, textarea, select, h1, h2, h3")].filter(element => {
        const {left, right, width} = element.getBoundingClientRect()
        return width > 1 && !element.closest("table, .frames") && (left < -1 || right > wide + 1)
    })
    const page = document.documentElement.scrollWidth > wide ? [document.documentElement] : []
    return [...page, ...scrolls, ...outside].map(named)
}"""

# Waits for the new layout; returns the text size in pixels.
_LAID_OUT: Final = """async () => {
    for (const _ of [1, 2]) await new Promise(requestAnimationFrame)
    return parseFloat(getComputedStyle(document.documentElement).fontSize)
}"""

_MOVES: Final = """() => [...document.querySelectorAll("body *")].filter(element => {
    const {transitionDuration, animationName} = getComputedStyle(element)
    return animationName !== "none" || /[1-9]/.test(transitionDuration)
}).map(element => element.tagName + "." + element.className)"""


@pytest.fixture
def untouched(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path / "untouched", "serve").start()
    yield server
    server.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def scene(browser: Browser, demo: Server, untouched: Server) -> Scene:
    return await Scene.set(browser, demo, untouched)


async def test_every_screen_is_accessible(browser: Browser, scene: Scene) -> None:
    axe = await asyncio.to_thread(AXE.read_text)
    grave, moving, beyond, seen = [], [], [], []
    for size, (wishes, checks) in {"wide": (WIDE, BY_DAY_AND_NIGHT), "phone": (PHONE, BY_DAY)}.items():
        visitor = await someone(browser, scene.demo.url, **wishes)
        async for name in scene.screens(visitor):
            seen.append((name, size))
            if not await visitor.page.evaluate("'axe' in window"):
                await visitor.page.evaluate(axe)
            for scheme, rules in checks:
                await visitor.page.emulate_media(color_scheme=scheme)
                grave += [(name, size, scheme, fault) for fault in await visitor.page.evaluate(ASK_AXE, rules)]
            moving += [(name, size, element) for element in await _moving(visitor.page)]
            beyond += [(name, size, *fault) async for fault in _too_wide(visitor)]
        await visitor.context.close()

    assert len(seen) == len(set(seen)) >= LEAST_SCREENS
    assert "\n".join(map(str, grave)) == ""
    assert moving == []
    assert "\n".join(map(str, beyond)) == ""


async def _moving(page: Page) -> list[str]:
    """Return the elements that move despite reduced motion."""
    await page.emulate_media(reduced_motion="reduce")
    found: list[str] = await page.evaluate(_MOVES)
    await page.emulate_media(reduced_motion="no-preference")
    return found


async def _too_wide(visitor: Person) -> AsyncIterator[tuple[str, str]]:
    """Yield overflowing elements: by default, from right to left, and at double text size."""
    page = visitor.page
    width = page.viewport_size["width"] if page.viewport_size else 0
    browser_of_it = await visitor.context.new_cdp_session(page)
    for how, direction, size in (
        ("usual", "ltr", USUAL_PX),
        ("from right to left", "rtl", USUAL_PX),
        ("large", "ltr", LARGE_PX),
    ):
        await page.evaluate("direction => { document.documentElement.dir = direction }", direction)
        await browser_of_it.send("Page.setFontSizes", {"fontSizes": {"standard": size}})
        assert size <= await page.evaluate(_LAID_OUT) < 2 * size
        for element in await page.evaluate(_BEYOND, width):
            yield how, element
    await page.evaluate("() => { document.documentElement.dir = 'ltr' }")
    await browser_of_it.send("Page.setFontSizes", {"fontSizes": {"standard": USUAL_PX}})
    await browser_of_it.detach()
