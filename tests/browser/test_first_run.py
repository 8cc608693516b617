"""From a new server to the first message: setup, an invitation, and the second user."""

import re

import pytest
from playwright.async_api import expect

from tests.browser.conftest import SignedIn
from tests.browser.household import Server

pytestmark = pytest.mark.timeout(180)


async def test_a_family_begins(new_server: Server, person: SignedIn) -> None:
    maja, inga = await person(new_server.url), await person(new_server.url)
    await maja.page.goto(new_server.url)
    await maja.page.get_by_label("Setup code").fill(new_server.reported["setup_code"])
    await maja.page.get_by_label("What is your family called?").fill("Sundqvist")
    await maja.page.get_by_label("Your name").fill("Maja")
    await maja.page.get_by_label("Choose a password").fill("a short sentence, for me")
    await maja.page.get_by_role("button", name="Start").click()
    await maja.page.get_by_role("heading", name="The whole family").wait_for()
    await maja.say("Is anybody here?")
    await expect(maja.page.get_by_text("Sent", exact=True).last).to_be_visible()

    await maja.page.get_by_role("button", name="Invite someone").click()
    await maja.page.get_by_role("button", name="For an adult").click()
    await expect(maja.page.get_by_role("img", name="QR code for this link")).to_be_visible()
    link = await maja.page.locator("output").inner_text()
    await maja.page.get_by_role("button", name="Close").click()

    await inga.page.goto(link)
    await expect(inga.page.get_by_role("heading", name="Welcome to Sundqvist")).to_be_visible()
    await inga.page.get_by_label("Your name").fill("Maja")
    await inga.page.get_by_label("Choose a password").fill("cardamom and butter")
    await inga.page.get_by_role("button", name="Join Sundqvist").click()
    await inga.page.get_by_role("button", name=re.compile(r"^Maja\d+$")).first.click()
    await expect(inga.page.get_by_label("Your name")).to_have_value(re.compile(r"^Maja\d+$"))
    inga.faults.clear()  # browsers log a 409 as an error
    await inga.page.get_by_label("Your name").fill("Inga")
    await inga.page.get_by_role("button", name="Join Sundqvist").click()
    await inga.page.get_by_role("heading", name="The whole family").wait_for()  # the second screen
    await expect(inga.messages().get_by_text("Is anybody here?")).to_have_count(0)  # sent before she joined
    await expect(inga.messages().get_by_text("You joined. Say hello!")).to_be_visible()
    await inga.say("I am!")
    await expect(maja.messages().get_by_text("I am!")).to_be_visible()
    await expect(maja.messages().get_by_text("Inga joined. Say hello!")).to_be_visible()
    await expect(maja.page.get_by_text("2 people")).to_be_visible()

    late = await person(new_server.url)
    await late.page.goto(link)
    await expect(late.page.get_by_role("heading", name="This invitation no longer works")).to_be_visible()
    late.faults.clear()  # browsers log a 404 as an error
