"""The oldest supported browsers, and those that are too old."""

import re

from playwright.async_api import expect

from tests.browser.conftest import SignedIn
from tests.browser.household import Server
from tests.browser.much import say_much

# What Firefox 115 or Safari 16 lack, and code that is written for current browsers likes to use.
WITHOUT_NEWER_FUNCTIONS = """
    delete Intl.Segmenter
    delete URL.canParse
    delete Promise.withResolvers
    delete Object.groupBy
    delete Array.fromAsync
    delete AbortSignal.any
    for (const name of ["toReversed", "toSorted", "toSpliced", "with"]) delete Array.prototype[name]
    for (const name of ["union", "intersection", "difference"]) delete Set.prototype[name]
"""


async def test_the_oldest_supported_browsers_show_links_emoji_and_names(demo: Server, person: SignedIn) -> None:
    demo.stop()
    await say_much(demo, "emil", ["Look https://a.example/x", "\N{THUMBS UP SIGN}\U0001f3fd"])
    demo.start()
    maja = await person(demo.url)
    await maja.context.add_init_script(WITHOUT_NEWER_FUNCTIONS)
    await maja.sign_in("maja", demo.user("maja")["password"])
    await maja.open("emil")
    await expect(maja.messages().get_by_role("link", name="https://a.example/x")).to_be_visible()
    await expect(maja.messages().get_by_text("\N{THUMBS UP SIGN}\U0001f3fd")).to_have_class(re.compile("large"))


async def test_a_browser_that_is_too_old_says_so(demo: Server, person: SignedIn) -> None:
    gran = await person(demo.url)
    await gran.context.add_init_script("delete Array.prototype.findLast")
    await gran.page.goto(demo.url)
    await expect(gran.page.get_by_role("alert").first).to_contain_text("This browser is too old for Famichat.")
    gran.faults.clear()  # Nothing else can be expected of it.
