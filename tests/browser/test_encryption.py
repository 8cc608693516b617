"""Conversations that require end-to-end encryption, in real browsers."""

import asyncio
import re
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import SignedIn
from tests.browser.household import ASK_AXE, AXE, INSECURE_HOST, Person, Server
from tests.browser.screens import PHONE, WIDE
from tests.browser.test_changes import choose, entry
from tests.support.plaintext_search import places_with


@pytest.fixture
def encrypting(demo_dir: Path) -> Iterator[Server]:
    """A demo whose direct conversations are encrypted, and which has an address that browsers do not trust."""
    server = Server(demo_dir, settings={"ENCRYPTION_POLICY_DIRECT": "required", "ENCRYPTION_POLICY_SELF": "required"})
    server.also_at(INSECURE_HOST)
    yield server.start()
    server.stop()


# The demo's users have devices that never come back, and would be waited for.
SIGN_OUT_OTHERS: Final = """async () => {
    const { access_token, device_id } = JSON.parse(localStorage.getItem("famichat.session"))
    const ask = (method, path) =>
        fetch(`/api/v1${path}`, { method, headers: { authorization: `Bearer ${access_token}` } })
    const { devices } = await (await ask("GET", "/devices")).json()
    const others = devices.map(({ id }) => id).filter(id => id !== device_id)
    await Promise.all(others.map(id => ask("DELETE", `/devices/${id}`)))
}"""


async def _signed_in(server: Server, person: SignedIn, username: str, url: str) -> Person:
    who = await (await person(url)).sign_in(username, server.user(username)["password"])
    await who.page.evaluate(SIGN_OUT_OTHERS)
    return who


async def _assert_accessible(page: Page) -> None:
    """Check a screen for screen readers and contrast, in the size of a phone and of a computer."""
    await page.evaluate(await asyncio.to_thread(AXE.read_text))
    for size in (PHONE, WIDE):
        await page.set_viewport_size(size["viewport"])
        assert await page.evaluate(ASK_AXE, {}) == []


async def test_two_users_talk_one_over_plain_http_and_the_server_holds_no_word(
    encrypting: Server, person: SignedIn
) -> None:
    maja = await _signed_in(encrypting, person, "maja", encrypting.url)
    await maja.open("emil")
    await expect(maja.page.get_by_text("Messages are sent once everyone has opened Famichat")).to_be_visible()
    first, answer, correction, plain = (f"canary{secrets.token_hex(8)}" for _ in range(4))
    await maja.say(first)

    emil = await _signed_in(encrypting, person, "emil", encrypting.other_url)
    emil.expected_faults = re.compile("Cross-Origin-Opener-Policy")  # ignored over plain HTTP
    assert not await emil.page.evaluate("isSecureContext")
    await emil.open("maja")
    await expect(emil.messages().get_by_text(first)).to_be_visible()
    await emil.say(answer)
    for each in (maja, emil):
        await expect(each.messages().get_by_text(answer)).to_be_visible()
        await expect(each.page.get_by_text("Only people in this chat can read new messages.")).to_be_visible()
        await expect(each.page.get_by_role("button", name="Attach")).to_have_count(0)
    await _assert_accessible(maja.page)

    await maja.messages().get_by_role("listitem").filter(has_text=first).last.hover()
    await maja.messages().get_by_role("listitem").filter(has_text=first).get_by_label("Message options").last.click()
    await maja.page.get_by_role("button", name="Edit", exact=True).click()
    await maja.say(correction)
    await expect(emil.messages().get_by_text(correction)).to_be_visible()
    await emil.page.reload()
    for word in (correction, answer):
        await expect(emil.messages().get_by_text(word)).to_be_visible()

    await maja.open("Summer house")
    await maja.say(plain)
    await expect(maja.messages().get_by_role("button", name="Sent", exact=True)).to_be_visible()
    held = [encrypting.data_dir, encrypting.log]
    assert places_with(plain, held, encrypting.process_id) != []  # the search finds plaintext
    for word in (first, answer, correction):
        assert places_with(word, held, encrypting.process_id) == []


async def test_all_tabs_of_the_first_device_read_notes_and_another_device_says_why_it_cannot(
    encrypting: Server, person: SignedIn
) -> None:
    maja = await _signed_in(encrypting, person, "maja", encrypting.url)
    await maja.open("Notes to self")
    await maja.say("Bake the buns")
    await expect(maja.page.get_by_text(re.compile("^Only you can read (this|new notes)"))).to_be_visible()
    await expect(maja.page.get_by_role("paragraph").filter(has_text=re.compile("^Sent$"))).to_be_visible()
    tab = await maja.another_tab()
    await tab.goto(maja.page.url)
    await expect(maja.messages(tab).get_by_text("Bake the buns")).to_be_visible()
    await maja.context.set_offline(True)
    await tab.get_by_label("Message to").fill("Buy cardamom")
    await tab.get_by_label("Message to").press("Enter")
    await expect(tab.get_by_text("Waiting to send").last).to_be_visible()
    await tab.close()
    await maja.context.set_offline(False)
    await expect(maja.messages().get_by_text("Buy cardamom")).to_be_visible()
    await expect(maja.page.get_by_role("paragraph").filter(has_text=re.compile("^Sent$"))).to_be_visible()

    phone = await person(encrypting.url)
    await phone.sign_in("maja", encrypting.user("maja")["password"])
    await phone.open("Notes to self")
    await expect(phone.page.get_by_text("you can only use this chat on the device where you first")).to_be_visible()
    await expect(phone.messages().get_by_text("This message can't be read on this device.")).to_have_count(2)
    await expect(phone.page.get_by_label("Message to")).to_have_count(0)
    await _assert_accessible(phone.page)


async def test_an_encrypted_message_is_pinned_starred_and_deleted_for_oneself(
    encrypting: Server, person: SignedIn
) -> None:
    maja = await _signed_in(encrypting, person, "maja", encrypting.url)
    await maja.open("Notes to self")
    for text in ("The safe: 4711", "Milk"):
        await maja.say(text)
        await expect(entry(maja, text)).to_contain_text("Sent")
    await choose(maja, "The safe: 4711", "Pin")
    await choose(maja, "The safe: 4711", "Star")
    await choose(maja, "Milk", "Delete for me")
    await maja.page.reload()
    await expect(maja.page.get_by_role("region", name="Pinned messages")).to_contain_text("The safe: 4711")
    await expect(entry(maja, "Milk")).to_have_count(0)
    await maja.page.get_by_role("button", name="Chat info").click()
    await maja.page.get_by_role("button", name="Starred messages").click()
    await expect(maja.page.get_by_role("dialog")).to_contain_text("The safe: 4711")


async def test_a_message_is_forwarded_between_encrypted_chats_and_out_of_them_only_after_a_question(
    encrypting: Server, person: SignedIn
) -> None:
    maja = await _signed_in(encrypting, person, "maja", encrypting.url)
    await maja.open("Summer house")
    await maja.say("The ferry leaves at noon")
    secret = f"canary{secrets.token_hex(8)}"
    sheet = maja.page.get_by_role("dialog", name="Forward to")
    await choose(maja, "The ferry leaves at noon", "Forward", stays_open=True)
    await sheet.get_by_role("checkbox", name="Notes to self").check()
    await sheet.get_by_role("button", name="Send").click()
    notes = entry(maja, "The ferry leaves at noon")
    await expect(maja.page.get_by_role("heading", name="Notes to self")).to_be_visible()
    await expect(notes).to_contain_text("Forwarded")
    await expect(notes).to_contain_text("Sent")

    await maja.say(secret)
    await expect(entry(maja, secret)).to_contain_text("Sent")
    await choose(maja, secret, "Forward", stays_open=True)
    await sheet.get_by_role("checkbox", name="Summer house").check()
    await sheet.get_by_role("button", name="Send").click()
    await expect(sheet.get_by_role("alert")).to_contain_text("can read it")
    await expect(sheet.get_by_role("button", name="Send anyway")).to_be_visible()
    await maja.page.keyboard.press("Escape")
    assert places_with(secret, [encrypting.data_dir, encrypting.log], encrypting.process_id) == []
    await maja.open("Summer house")
    await expect(entry(maja, secret)).to_have_count(0)
