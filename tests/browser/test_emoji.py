"""Pick emoji for messages and reactions: by search, by key, and with a skin tone."""

import pytest
from playwright.async_api import expect

from tests.browser.conftest import SignedIn
from tests.browser.household import Person
from tests.browser.test_changes import PHONE, entry
from tests.browser.test_message_menu import menu

pytestmark = pytest.mark.timeout(120)


async def test_emoji_are_found_in_both_languages_and_picked_for_a_message(of_the_family: SignedIn) -> None:
    maja, emil = await of_the_family("maja"), await of_the_family("emil")
    await maja.open("emil")
    await emil.open("maja")
    box = maja.page.get_by_label("Message to")
    await box.fill("Happy birthday ")
    await maja.page.get_by_role("button", name="Emoji", exact=True).click()
    picker = maja.page.get_by_role("dialog", name="Emoji")
    search = picker.get_by_label("Search emoji")
    await expect(search).to_be_focused()
    await search.fill("birthday c")
    await picker.get_by_role("button", name="birthday cake").click()
    await search.fill("wav")
    await picker.get_by_role("button", name="Skin tone").click()
    await picker.get_by_role("button", name="Medium skin tone", exact=True).click()
    await picker.get_by_role("button", name="waving hand").click()
    await expect(box).to_have_value("Happy birthday 🎂👋🏽")
    await maja.page.keyboard.press("Escape")
    await expect(box).to_be_focused()
    await maja.page.keyboard.press("Enter")
    await expect(emil.messages().get_by_text("Happy birthday 🎂👋🏽")).to_be_visible()

    await maja.page.get_by_role("button", name="Emoji", exact=True).click()
    await expect(picker.get_by_role("toolbar").get_by_role("button")).to_have_text(["👋🏽", "🎂"])
    await picker.get_by_role("toolbar").get_by_role("button").first.focus()
    await maja.page.keyboard.press("ArrowRight")
    await maja.page.keyboard.press("Enter")
    await maja.page.keyboard.press("Escape")
    await expect(box).to_have_value("🎂")

    await maja.page.evaluate("localStorage.setItem('famichat.language', 'ja')")
    await maja.page.reload()
    await maja.page.get_by_role("button", name="絵文字", exact=True).click()
    japanese = maja.page.get_by_role("dialog", name="絵文字")
    for query in ("サクラ", "cherry blossom"):
        await japanese.get_by_label("絵文字を検索").fill(query)
        await expect(japanese.get_by_role("toolbar").get_by_text("🌸")).to_be_visible()


async def test_a_message_takes_any_emoji_as_a_reaction(of_the_family: SignedIn) -> None:
    maja, emil = await of_the_family("maja"), await of_the_family("emil", **PHONE)
    await maja.open("emil")
    await emil.open("maja")
    await maja.say("The boat is painted")
    await react(emil, "The boat is painted", "sail", "sailboat")
    await expect(maja.messages().get_by_role("button", name="emil reacted with ⛵")).to_be_visible()
    await react(emil, "The boat is painted", "anchor", "anchor")
    await expect(maja.messages().get_by_role("button", name="emil reacted with ⚓")).to_be_visible()
    await expect(maja.messages().get_by_role("button", name="emil reacted with ⛵")).to_have_count(0)


async def react(who: Person, text: str, query: str, name: str) -> None:
    await entry(who, text).get_by_label("Message options").press("Enter")
    await menu(who).get_by_role("button", name="React with another emoji").click()
    picker = who.page.get_by_role("dialog", name="React with another emoji")
    await picker.get_by_label("Search emoji").fill(query)
    await picker.get_by_role("button", name=name, exact=True).click()
    await expect(picker).to_have_count(0)
