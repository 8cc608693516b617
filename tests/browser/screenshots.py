"""Creates the screenshots of every main screen in `docs/screenshots/`: `./run screenshots`."""

import asyncio
import tempfile
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, Page

from tests.browser.household import ROOT, Person, Server, a_browser, someone
from tests.browser.screens import ENCRYPTED, PHONE, WIDE, Scene, encrypted_screens

PICTURES = ROOT / "docs" / "screenshots"
SIZES: dict[str, dict[str, Any]] = {"wide": WIDE, "phone": {**PHONE, "device_scale_factor": 1.5}}
# A fixed time, so that a file changes only if the screen changes.
NO_TIME_PASSES = """
    const { get } = Object.getOwnPropertyDescriptor(Intl.DateTimeFormat.prototype, "format")
    Object.defineProperty(Intl.DateTimeFormat.prototype, "format", {
        get() { return () => get.call(this)(new Date(2026, 2, 1, 10, 24)) },
    })
"""


async def main() -> None:
    """Run a conversation in the demo's family and capture each screen."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    for old in PICTURES.glob("*.png"):
        old.unlink()
    with tempfile.TemporaryDirectory() as directory:
        demo = Server(Path(directory) / "demo").start()
        untouched = Server(Path(directory) / "new", "serve").start()
        try:
            async with a_browser() as browser:
                scene = await Scene.set(browser, demo, untouched)
                for size, wishes in SIZES.items():
                    await _look(browser, scene, size, wishes)
                    await _look_at_encryption(browser, Path(directory) / f"encrypted-{size}", size, wishes)
        finally:
            untouched.stop()
            demo.stop()


async def _look(browser: Browser, scene: Scene, size: str, wishes: dict[str, Any]) -> None:
    visitor = await someone(browser, scene.demo.url, **wishes)
    await visitor.context.add_init_script(NO_TIME_PASSES)
    async for name in scene.screens(visitor):
        await _picture(visitor.page, f"{name}-{size}-light", "light")
        await _picture(visitor.page, f"{name}-{size}-dark", "dark")


async def _look_at_encryption(browser: Browser, data: Path, size: str, wishes: dict[str, Any]) -> None:
    demo = Server(data, settings=ENCRYPTED).start()  # of its own: only the first device of a user can encrypt

    async def visitor() -> Person:
        person = await someone(browser, demo.url, **wishes)
        await person.context.add_init_script(NO_TIME_PASSES)
        return person

    try:
        async for name, page in encrypted_screens(demo, visitor, await someone(browser, demo.url)):
            await _picture(page, f"{name}-{size}-light", "light")
            await _picture(page, f"{name}-{size}-dark", "dark")
    finally:
        demo.stop()


async def _picture(page: Page, name: str, scheme: Any) -> None:
    await page.emulate_media(color_scheme=scheme)
    await page.mouse.move(0, 0)
    await page.wait_for_timeout(400)  # fonts and transitions settle
    await page.screenshot(path=PICTURES / f"{name}.png", caret="hide")


if __name__ == "__main__":
    asyncio.run(main())
