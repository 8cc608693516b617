"""A letter with many combining marks is drawn far above and below its line."""

import io
from typing import Final

from PIL import Image, ImageChops
from playwright.async_api import Page, expect

from tests.browser.conftest import SignedIn
from tests.browser.household import Server
from tests.browser.much import answer, say_much

MARKED = ("Z" + "".join(chr(0x300 + number % 0x50) for number in range(120))) * 3
# The elements that display the text, and the boxes that it must stay in: its bubble, or else the element.
_FIND: Final = """() => {
    const texts = document.querySelectorAll("p:not(.unseen), span:not(.unseen)")
    window.marked = [...texts].filter(each => !each.children.length && each.textContent.includes("Z\\u0300"))
    return window.marked.map(each => {
        const { x, y, width, height } = (each.closest(".bubble") ?? each).getBoundingClientRect()
        return [Math.floor(x), Math.floor(y), Math.ceil(x + width), Math.ceil(y + height)]
    })
}"""
_HIDE = "() => window.marked.forEach(each => { each.style.visibility = 'hidden' })"


async def test_combining_marks_do_not_cover_other_messages(demo: Server, of_the_family: SignedIn) -> None:
    demo.stop()
    _, marked, _ = await say_much(demo, "emil", ["before", MARKED, "after"])
    demo.start()
    maja, emil = await of_the_family("maja"), await of_the_family("emil")
    await answer(demo, emil, marked, MARKED)
    await maja.open("emil")
    await expect(maja.messages().get_by_text("Z\u0300")).to_have_count(3)  # two messages, and a quote in one of them

    await expect(maja.listed("emil").locator(".count")).to_have_count(0)  # else it would disappear between the pictures

    # The notice for the only admin appears some seconds after the start.
    await expect(maja.page.get_by_role("button", name="Not now")).to_be_visible()

    found: list[list[int]] = await maja.page.evaluate(_FIND)
    boxes = [(left, top, right, bottom) for left, top, right, bottom in found]
    assert len(boxes) == 4  # and the preview in the list
    shown = await _picture(maja.page)
    await maja.page.evaluate(_HIDE)
    # The browser draws rounded corners with deviations of a few of 256 levels, and text with far more.
    changed = ImageChops.difference(shown, await _picture(maja.page)).point(lambda level: level if level > 32 else 0)
    assert changed.getbbox() is not None
    for box in boxes:
        changed.paste(0, box)
    assert changed.getbbox() is None


async def _picture(page: Page) -> Image.Image:
    return Image.open(io.BytesIO(await page.screenshot(animations="disabled"))).convert("L")
