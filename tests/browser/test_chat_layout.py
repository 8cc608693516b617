"""The layout of a chat: runs of messages, the day, and a composer that gives the text field the space."""

import pytest
from playwright.async_api import expect

from tests.browser.conftest import SignedIn
from tests.browser.household import Person

pytestmark = pytest.mark.timeout(120)


async def test_the_text_field_has_the_space_and_one_button_records_or_sends(of_the_family: SignedIn) -> None:
    maja = await of_the_family("maja", viewport={"width": 320, "height": 640})
    await maja.open("The whole family")
    field, send = maja.page.get_by_label("Message to"), maja.page.get_by_role("button", name="Send", exact=True)
    record = maja.page.get_by_role("button", name="Record a voice message")
    for width, share in ((320, 0.64), (390, 0.70)):
        await maja.page.set_viewport_size({"width": width, "height": 640})
        assert await _width(maja, "textarea") >= share * width
        await expect(record).to_be_visible()
        await expect(send).to_have_count(0)
        await field.fill("Bread")
        await expect(send).to_be_enabled()
        await expect(record).to_have_count(0)
        assert await _width(maja, "textarea") >= share * width
        await field.fill("")
    await expect(record).to_be_visible()


async def test_a_run_shows_its_time_once_and_the_day_stays_in_sight(of_the_family: SignedIn) -> None:
    maja = await of_the_family("maja", viewport={"width": 390, "height": 640})
    await maja.open("The whole family")
    for number in range(20):
        await maja.say(f"Point {number}")
    await expect(maja.messages().get_by_text("Point 19")).to_be_in_viewport()
    run = maja.messages().locator(".run").last
    heights = await run.locator("li .when").evaluate_all("all => all.map(each => each.getBoundingClientRect().height)")
    assert [height > 2 for height in heights] == [False] * 19 + [True]
    day = maja.messages().get_by_role("heading", level=3, name="Today")
    await expect(day).to_be_in_viewport()
    first = maja.messages().get_by_text("Point 0", exact=True)
    await expect(first).not_to_be_in_viewport()


async def _width(who: Person, selector: str) -> float:
    width: float = await who.page.locator(selector).evaluate("element => element.getBoundingClientRect().width")
    return width
