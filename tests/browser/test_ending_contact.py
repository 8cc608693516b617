"""Blocking a person in a direct chat, leaving it, and ending a child's contact, as the users see it."""

import re

import pytest
from playwright.async_api import expect

from tests.browser.conftest import SignedIn

pytestmark = pytest.mark.timeout(120)


async def test_a_user_blocks_unblocks_and_leaves_a_direct_chat(of_the_family: SignedIn) -> None:
    maja, emil = await of_the_family("maja"), await of_the_family("emil")
    await emil.open("maja")
    await emil.say("Hello")
    await maja.open("emil")
    await expect(maja.messages().get_by_text("Hello")).to_be_visible()
    page = maja.page

    await page.get_by_role("button", name="Chat info").click()
    sheet = page.get_by_role("dialog")
    await sheet.get_by_role("button", name="Block emil").click()
    await expect(sheet.get_by_text("emil isn't told.")).to_be_visible()
    await sheet.get_by_role("group").get_by_role("button", name="Block emil").click()

    await expect(page.get_by_text("You blocked emil.")).to_be_visible()
    await expect(page.get_by_label("Message to")).to_have_count(0)
    await expect(maja.messages().get_by_text("Hello")).to_be_visible()
    await emil.page.reload()
    await expect(emil.page.get_by_text("no longer in contact")).to_be_visible()

    await page.goto(page.url.partition("#")[0] + "#/settings/privacy")
    await page.get_by_role("button", name="Unblock emil").click()
    await expect(page.get_by_role("heading", name="Blocked people")).to_have_count(0)
    await maja.open("emil")
    await expect(page.get_by_label("Message to")).to_be_visible()
    await expect(emil.page.get_by_label("Message to")).to_be_visible()

    await page.get_by_role("button", name="Chat info").click()
    await sheet.get_by_role("button", name="Leave chat").click()
    await sheet.get_by_role("group").get_by_role("button", name="Leave chat").click()
    await expect(maja.listed("emil")).to_have_count(0)
    await expect(emil.page.get_by_text("this person left the chat")).to_be_visible()


async def test_guardians_end_and_restore_the_contact_of_a_child(of_the_family: SignedIn) -> None:
    maja, emil, inga = [await of_the_family(name) for name in ("maja", "emil", "inga")]
    await emil.open("maja")
    page = maja.page
    await page.get_by_role("link", name="Settings").or_(page.get_by_role("button", name="Settings")).first.click()
    manage = re.compile("^Manage")
    await page.get_by_role("link", name=manage).or_(page.get_by_role("button", name=manage)).first.click()
    await page.get_by_role("button", name="Make child account emil").click()
    await page.get_by_text("emil's contacts").click()
    await page.get_by_role("button", name="End contact maja").click()
    await expect(page.get_by_text("Contact ended")).to_be_visible()
    await expect(emil.page.get_by_text("no longer in contact")).to_be_visible()
    await expect(page.get_by_text(re.compile("ended emil's contact with"))).to_be_visible()

    # An adult who is not an admin finds the children in the settings; the child finds none.
    await inga.page.goto(f"{inga.url}/#/you")
    children = inga.page.get_by_role("region", name="Children in Sundqvist")
    await children.get_by_text("emil's contacts").click()
    await children.get_by_role("button", name="Allow contact maja").click()
    await expect(children.get_by_role("button", name="End contact maja")).to_be_visible()
    await expect(emil.page.get_by_label("Message to")).to_be_visible()
    await emil.page.goto(f"{emil.url}/#/you")
    await expect(emil.page.get_by_role("heading", name="emil")).to_be_visible()
    await expect(emil.page.get_by_role("region", name="Children in Sundqvist")).to_have_count(0)
