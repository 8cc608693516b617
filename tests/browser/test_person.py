"""The page of a person, opened by their name."""

import re

import pytest
from playwright.async_api import expect

from tests.browser.conftest import SignedIn

pytestmark = pytest.mark.timeout(120)


async def test_a_name_in_a_chat_opens_the_person_and_back_returns_to_the_chat(of_the_family: SignedIn) -> None:
    inga, maja = await of_the_family("inga"), await of_the_family("maja")
    await (await inga.open("The whole family")).say("Good morning")
    await maja.open("The whole family")
    await maja.messages().get_by_role("link", name="inga", exact=True).last.click()
    page = maja.page.get_by_role("main")
    await expect(page.get_by_role("heading", name="inga", exact=True)).to_be_visible()
    shared = page.get_by_role("region", name="Chats you share")
    await expect(shared.get_by_role("link", name="The whole family")).to_be_visible()
    await page.get_by_role("button", name="Back", exact=True).click()
    await expect(maja.messages().get_by_text("Good morning")).to_be_visible()

    await maja.page.get_by_role("button", name="Chat info").click()
    await maja.page.get_by_role("dialog").get_by_role("link", name="emil").click()
    await expect(maja.page.get_by_role("dialog")).to_have_count(0)
    await page.get_by_role("button", name="Send a message").click()
    await expect(page.get_by_role("heading", name="emil", exact=True)).to_be_visible()
    await expect(maja.page.get_by_label("Message to emil")).to_be_visible()


async def test_a_direct_chat_is_muted_on_the_page_of_the_person_and_says_until_when(of_the_family: SignedIn) -> None:
    maja = await of_the_family("maja")
    await maja.open("emil")
    await maja.page.get_by_role("main").get_by_role("link", name="emil", exact=True).click()
    choice = maja.page.get_by_label("Notifications")
    await choice.select_option("Muted for 1 hour")
    await expect(choice.locator("option:checked")).to_have_text(re.compile("^Muted until "))
    await expect(maja.listed("emil")).to_contain_text("Muted")
    await choice.select_option("On")
    await expect(maja.listed("emil")).not_to_contain_text("Muted")


async def test_a_person_is_blocked_and_unblocked_on_their_page(of_the_family: SignedIn) -> None:
    maja, emil = await of_the_family("maja"), await of_the_family("emil")
    await emil.open("maja")
    await maja.open("emil")
    await maja.page.get_by_role("main").get_by_role("link", name="emil", exact=True).click()
    page = maja.page.get_by_role("main")
    await page.get_by_role("button", name="Block emil").click()
    await page.get_by_role("group").get_by_role("button", name="Block emil").click()
    unblock = page.get_by_role("button", name="Unblock")
    await expect(unblock).to_be_visible()
    await emil.page.reload()  # a person is not told that they are blocked
    await expect(emil.page.get_by_text("no longer in contact")).to_be_visible()
    await unblock.click()
    await expect(emil.page.get_by_label("Message to")).to_be_visible()
