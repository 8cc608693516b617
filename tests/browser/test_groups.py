"""Groups and view settings: the interface offers permitted actions only, and drafts are not lost."""

import re

import pytest
from playwright.async_api import Locator, expect

from tests.browser.conftest import SignedIn
from tests.browser.household import TABLET, Person

pytestmark = pytest.mark.timeout(180)
GROUP = "Summer house"


async def test_a_group_changes_and_a_removed_member_keeps_the_draft(of_the_family: SignedIn) -> None:
    maja, inga = await of_the_family("maja"), await of_the_family("inga")
    await maja.open(GROUP)
    await inga.open(GROUP)
    about = await _about(maja)
    await expect(about.get_by_role("button", name="Leave group")).to_have_count(0)  # the only admin
    await _row(about, "emil").get_by_role("button", name="Make admin").click()
    await expect(_row(about, "emil")).to_contain_text("Admin")
    await _row(about, "nils").get_by_role("button", name="Add").click()
    await about.get_by_label("Name").fill("Sommarhus")
    await about.get_by_role("button", name="Rename").click()
    await expect(inga.page.get_by_role("heading", name="Sommarhus")).to_be_visible()
    await expect(inga.page.get_by_text("4 people")).to_be_visible()
    theirs = await _about(inga)
    for action in ("Rename", "Add", "Make admin", "Remove"):
        await expect(theirs.get_by_role("button", name=action)).to_have_count(0)
    await theirs.get_by_role("button", name="Close").click()

    # A client that loses a conversation asks the server whether it still exists.
    inga.expected_faults = maja.expected_faults = re.compile("404")
    await inga.page.get_by_label("Message to").press_sequentially("I think that we sh")
    await about.get_by_role("button", name="Remove inga").click()
    await expect(inga.page.get_by_role("heading", name="You're no longer in Sommarhus")).to_be_visible()
    await expect(inga.page.get_by_role("textbox")).to_have_value("I think that we sh")
    await inga.page.reload()
    await inga.page.get_by_role("link", name="Sommarhus").click()
    await expect(inga.page.get_by_role("textbox")).to_have_value("I think that we sh")
    await inga.page.get_by_role("button", name="Delete").click()
    await expect(inga.page.get_by_role("link", name="Sommarhus")).to_have_count(0)

    await about.get_by_role("button", name="Leave group").click()
    await expect(maja.page.get_by_role("heading", name="Choose a chat")).to_be_visible()
    await expect(maja.listed("Sommarhus")).to_have_count(0)


async def test_a_group_shows_the_delivery_status_per_member(of_the_family: SignedIn) -> None:
    maja, inga = await of_the_family("maja"), await of_the_family("inga")
    await maja.open(GROUP)
    await inga.open(GROUP)
    await maja.say("Who has the key?")
    await maja.page.get_by_role("button", name="Read by inga").click()
    people = maja.page.get_by_role("dialog", name="Message info").get_by_role("listitem")
    await expect(people.filter(has_text="inga")).to_contain_text("Read")
    await expect(people.filter(has_text="emil")).to_contain_text("Sent, not delivered yet")
    await of_the_family("emil", **TABLET)
    await expect(people.filter(has_text="emil")).to_contain_text("Delivered to their tablet")


async def test_a_conversation_is_archived_and_restored(of_the_family: SignedIn) -> None:
    maja, emil = await of_the_family("maja"), await of_the_family("emil")
    await maja.open("emil")
    about = await _about(maja)
    await expect(about.get_by_text("No one can be added")).to_be_visible()
    for action in ("Rename", "Add", "Make admin", "Remove", "Leave group"):
        await expect(about.get_by_role("button", name=action)).to_have_count(0)
    await about.get_by_label("Notifications").select_option("Muted")
    await about.get_by_role("button", name="Hide until the next message").click()
    await expect(about.get_by_role("button", name="Unhide")).to_be_visible()
    await about.get_by_role("button", name="Close").click()
    await maja.open("Notes to self")
    await expect(maja.listed("emil")).to_be_hidden()
    await maja.page.get_by_text("Hidden until the next message (1)").click()
    await expect(maja.listed("emil")).to_be_visible()

    await emil.open("maja")
    await emil.say("Are you there?")
    await expect(maja.page.get_by_text("Hidden until the next message (1)")).to_have_count(0)
    await expect(maja.listed("emil")).to_contain_text("Muted")

    await maja.listed("emil").click()
    about = await _about(maja)
    await about.get_by_role("button", name="Archive", exact=True).click()
    await expect(about.get_by_role("button", name="Unarchive")).to_be_visible()
    await about.get_by_role("button", name="Close").click()
    await emil.say("Hello?")
    await expect(maja.messages().get_by_text("Hello?")).to_be_visible()
    await expect(maja.page.get_by_text("Archived (1)")).to_be_visible()


async def test_a_chat_is_pinned_and_marked_as_unread_on_all_devices_of_a_user(of_the_family: SignedIn) -> None:
    maja, other = await of_the_family("maja"), await of_the_family("maja")
    await maja.open("The whole family")
    about = await _about(maja)
    await about.get_by_role("button", name="Pin chat").click()
    await expect(other.page.get_by_role("navigation").get_by_role("link").first).to_contain_text("Pinned")
    await about.get_by_role("button", name="Mark as unread").click()
    await expect(maja.page.get_by_label("Message to")).to_have_count(0)
    await expect(maja.listed("The whole family")).to_contain_text("Marked as unread")
    await expect(other.listed("The whole family")).to_contain_text("Marked as unread")

    await other.open("The whole family")
    await expect(maja.listed("The whole family")).not_to_contain_text("Marked as unread")
    await (await _about(other)).get_by_role("button", name="Unpin chat").click()
    await expect(maja.listed("The whole family")).not_to_contain_text("Pinned")


async def _about(person: Person) -> Locator:
    await person.page.get_by_role("button", name="Chat info").click()
    return person.page.get_by_role("dialog")


def _row(about: Locator, name: str) -> Locator:
    return about.get_by_role("listitem").filter(has_text=name)
