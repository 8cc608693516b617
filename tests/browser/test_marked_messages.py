"""Pin messages for all, star them, and delete them for oneself: two users."""

import pytest
from playwright.async_api import expect

from tests.browser.conftest import SignedIn
from tests.browser.test_changes import PHONE, choose, entry

pytestmark = pytest.mark.timeout(120)


async def test_a_pinned_message_is_above_the_chat_for_both_and_a_press_shows_it(of_the_family: SignedIn) -> None:
    maja, emil = await of_the_family("maja"), await of_the_family("emil", **PHONE)
    await maja.open("emil")
    await emil.open("maja")
    for text in ("The key is under the blue pot", "The ferry leaves at ten"):
        await maja.say(text)
        await expect(entry(emil, text)).to_be_visible()
    await choose(maja, "The key is under the blue pot", "Pin")
    await choose(maja, "The ferry leaves at ten", "Pin")

    bar = emil.page.get_by_role("region", name="Pinned messages")
    await expect(bar).to_contain_text("The ferry leaves at ten")
    await bar.get_by_role("button", name="Pinned message 1 of 2").tap()
    await expect(entry(emil, "The ferry leaves at ten")).to_be_focused()
    await expect(bar).to_contain_text("The key is under the blue pot")
    await bar.get_by_role("button", name="Close until").tap()
    await expect(bar).to_have_count(0)

    await choose(maja, "The ferry leaves at ten", "Unpin")
    await expect(maja.page.get_by_role("button", name="Pinned message:")).to_contain_text("The key")
    await choose(emil, "The ferry leaves at ten", "Pin")
    await expect(bar).to_contain_text("The ferry leaves at ten")


async def test_a_starred_message_is_listed_on_all_devices_of_the_user_only(of_the_family: SignedIn) -> None:
    laptop, phone, emil = await of_the_family("maja"), await of_the_family("maja", **PHONE), await of_the_family("emil")
    for each in (laptop, phone):
        await each.open("emil")
    await emil.open("maja")
    await emil.say("Grandma's recipe: two eggs")
    await choose(laptop, "Grandma's recipe: two eggs", "Star")
    await expect(entry(phone, "Grandma's recipe: two eggs")).to_contain_text("Starred")
    await expect(entry(emil, "Grandma's recipe: two eggs")).not_to_contain_text("Starred")

    await phone.page.get_by_role("button", name="Chat info").tap()
    await phone.page.get_by_role("button", name="Starred messages").tap()
    await phone.page.get_by_role("dialog", name="Starred messages").get_by_role("button", name="two eggs").tap()
    await expect(entry(phone, "Grandma's recipe: two eggs")).to_be_focused()

    await laptop.page.goto(f"{laptop.url}/#/you")
    await laptop.page.get_by_role("button", name="Show the starred messages of all chats").click()
    await laptop.page.get_by_role("dialog").get_by_role("button", name="two eggs").click()
    await expect(entry(laptop, "Grandma's recipe: two eggs")).to_be_focused()


async def test_a_message_deleted_for_one_user_stays_for_the_other_and_comes_back(of_the_family: SignedIn) -> None:
    maja, emil = await of_the_family("maja"), await of_the_family("emil")
    await maja.open("emil")
    await emil.open("maja")
    for text in ("Don't tell anyone", "Good night"):
        await emil.say(text)
    await choose(maja, "Don't tell anyone", "Delete for me")
    await expect(entry(maja, "Don't tell anyone")).to_have_count(0)
    await expect(entry(emil, "Don't tell anyone")).to_be_visible()
    await maja.page.get_by_role("button", name="Undo").click()
    await expect(entry(maja, "Don't tell anyone")).to_be_visible()

    await choose(maja, "Don't tell anyone", "Delete for me")
    await expect(entry(maja, "Don't tell anyone")).to_have_count(0)
    await maja.page.reload()
    await expect(entry(maja, "Good night")).to_be_visible()
    await expect(entry(maja, "Don't tell anyone")).to_have_count(0)
