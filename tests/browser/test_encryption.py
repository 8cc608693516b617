"""Conversations that require end-to-end encryption, in real browsers."""

import asyncio
import re
import secrets
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.async_api import Route, WebSocketRoute, expect

from tests.browser.conftest import SignedIn
from tests.browser.household import ASK_AXE, AXE, INSECURE_HOST, Person, Server
from tests.browser.screens import ENCRYPTED, PHONE, SIGN_OUT_OTHERS, WIDE, encrypted_screens
from tests.browser.test_changes import choose, entry
from tests.support.plaintext_search import places_with


@pytest.fixture
def encrypting(demo_dir: Path) -> Iterator[Server]:
    """A demo that requires encryption except in the family, and has an address that browsers do not trust."""
    server = Server(demo_dir, settings=ENCRYPTED)
    server.also_at(INSECURE_HOST)
    yield server.start()
    server.stop()


# Asks the API as the user of the page; returns the reply, or null if it is empty.
ASK_API: Final = """async ([method, path, body]) => {
    const { access_token } = JSON.parse(localStorage.getItem("famichat.session"))
    const headers = { authorization: `Bearer ${access_token}`, "content-type": "application/json" }
    const reply = await fetch(`/api/v1${path}`, { method, headers, body: body && JSON.stringify(body) })
    if (!reply.ok) throw new Error(`${method} ${path}: ${reply.status}`)
    return reply.status === 204 ? null : await reply.json()
}"""

# The epochs of a conversation whose key this browser has.
EPOCHS: Final = """async ([user, conversation]) => {
    const asked = indexedDB.open(`famichat.${user}.keys`)
    await new Promise(done => (asked.onsuccess = done))
    const found = asked.result.transaction("keyring").objectStore("keyring").getAllKeys()
    await new Promise(done => (found.onsuccess = done))
    asked.result.close()
    return found.result.filter(([id]) => id === conversation).map(([, epoch]) => epoch)
}"""

FORGET_KEYS: Final = """user => new Promise((done, failed) => {
    const asked = indexedDB.deleteDatabase(`famichat.${user}.keys`)
    asked.onsuccess = done
    asked.onblocked = failed
})"""


async def _signed_in(server: Server, person: SignedIn, username: str, url: str) -> Person:
    who = await (await person(url)).sign_in(username, server.user(username)["password"])
    who.expected_faults = LOST_RACE
    await who.page.evaluate(SIGN_OUT_OTHERS)
    return who


# The server refuses the slower of two commits, and a browser calls that an error.
LOST_RACE: Final = re.compile("status of 409")
# What each screen says in Japanese.
IN_JAPANESE: Final = {
    "encrypted": "これからのメッセージは、このチャットの参加者だけが読めます。",
    "encrypted-unreadable": "このメッセージはこの端末では読めません。",
    "encryption-pending": "このチャットは今のところ、最初にログインした端末でだけ使えます。",
}


async def _asked(who: Person, method: str, path: str, body: object = None) -> Any:
    return await who.page.evaluate(ASK_API, [method, path, body])


async def test_two_users_talk_one_over_plain_http_and_the_server_holds_no_word(
    encrypting: Server, person: SignedIn
) -> None:
    maja = await _signed_in(encrypting, person, "maja", encrypting.url)
    await maja.open("emil")
    await expect(maja.page.get_by_text("Messages are sent once everyone has opened Famichat")).to_be_visible()
    first, answer, correction, plain = (f"canary{secrets.token_hex(8)}" for _ in range(4))
    await maja.say(first)

    emil = await _signed_in(encrypting, person, "emil", encrypting.other_url)
    emil.expected_faults = re.compile(f"{LOST_RACE.pattern}|Cross-Origin-Opener-Policy")  # ignored over plain HTTP
    assert not await emil.page.evaluate("isSecureContext")
    await emil.open("maja")
    await expect(emil.messages().get_by_text(first)).to_be_visible()
    await emil.say(answer)
    for each in (maja, emil):
        await expect(each.messages().get_by_text(answer)).to_be_visible()
        await expect(each.page.get_by_text("Only people in this chat can read new messages.")).to_be_visible()
        await expect(each.page.get_by_role("button", name="Attach")).to_have_count(0)

    await maja.messages().get_by_role("listitem").filter(has_text=first).last.hover()
    await maja.messages().get_by_role("listitem").filter(has_text=first).get_by_label("Message options").last.click()
    await maja.page.get_by_role("button", name="Edit", exact=True).click()
    await maja.say(correction)
    await expect(emil.messages().get_by_text(correction)).to_be_visible()
    await emil.page.reload()
    for word in (correction, answer):
        await expect(emil.messages().get_by_text(word)).to_be_visible()

    await maja.open("The whole family")
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
    await maja.open("The whole family")
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
    await sheet.get_by_role("checkbox", name="The whole family").check()
    await sheet.get_by_role("button", name="Send").click()
    await expect(sheet.get_by_role("alert")).to_contain_text("can read it")
    await expect(sheet.get_by_role("button", name="Send anyway")).to_be_visible()
    await maja.page.keyboard.press("Escape")
    assert places_with(secret, [encrypting.data_dir, encrypting.log], encrypting.process_id) == []
    await maja.open("The whole family")
    await expect(entry(maja, secret)).to_have_count(0)


async def test_the_screens_of_encrypted_chats_are_accessible_in_both_languages_and_at_night(
    encrypting: Server, person: SignedIn
) -> None:
    axe = await asyncio.to_thread(AXE.read_text)
    looks: list[tuple[str, Any, Any]] = [("en", WIDE, "light"), ("en", PHONE, "dark"), ("ja", PHONE, "light")]
    faults: list[Any] = []

    async def visitor() -> Person:
        who = await person(encrypting.url)
        who.expected_faults = LOST_RACE
        return who

    async for name, page in encrypted_screens(encrypting, visitor, await visitor()):
        shown = page.get_by_role("region", name=re.compile("Messages|メッセージ")).locator("[data-entry]").last
        for language, size, scheme in looks:
            await page.set_viewport_size(size["viewport"])
            await page.emulate_media(color_scheme=scheme)
            if language != "en":
                await page.evaluate("tag => localStorage.setItem('famichat.language', tag)", language)
                await page.reload()
                await expect(page.get_by_text(IN_JAPANESE[name]).last).to_be_visible()
            await expect(shown).to_be_visible()
            await page.evaluate(axe)
            faults += [(name, language, scheme, fault) for fault in await page.evaluate(ASK_AXE, {})]
            if await page.evaluate("document.documentElement.scrollWidth > innerWidth"):
                faults.append((name, language, "too wide"))
        await page.evaluate("localStorage.removeItem('famichat.language')")
        await page.reload()
        await expect(shown).to_be_visible()
    assert faults == []


async def test_a_new_member_of_a_group_reads_what_follows_and_a_removed_one_gets_no_key_of_it(
    encrypting: Server, person: SignedIn
) -> None:
    group = f"/conversations/{encrypting.reported['conversations']['group']}"
    ids = {name: encrypting.user(name)["id"] for name in ("emil", "nils")}

    async def newest_epoch() -> str:
        [newest] = (await _asked(maja, "GET", f"{group}/messages?limit=1"))["messages"]
        return str(newest["key_id"])

    async def epochs_of(who: Person, name: str) -> list[str]:
        conversation_id = encrypting.reported["conversations"]["group"]
        keys: list[str] = await who.page.evaluate(EPOCHS, [encrypting.user(name)["id"], conversation_id])
        return keys

    maja, emil = [await _signed_in(encrypting, person, name, encrypting.url) for name in ("maja", "emil")]
    for each in (maja, emil):
        await each.open("Summer house")
    await maja.say("Who brings the boat?")
    await expect(emil.messages().get_by_text("Who brings the boat?")).to_be_visible()
    before = await newest_epoch()

    nils = await _signed_in(encrypting, person, "nils", encrypting.url)
    await _asked(maja, "POST", f"{group}/members", {"user_id": ids["nils"]})
    await nils.open("Summer house")
    await emil.say("Nils does")
    for each in (maja, nils):
        await expect(each.messages().get_by_text("Nils does")).to_be_visible()
    await expect(nils.messages().get_by_text("Who brings the boat?")).to_have_count(0)
    assert before not in await epochs_of(nils, "nils")

    emil.expected_faults = re.compile(f"{LOST_RACE.pattern}|status of 404")  # The group does not exist for Emil now.
    await _asked(maja, "DELETE", f"{group}/members/{ids['emil']}")
    await expect(emil.listed("Summer house")).to_have_count(0)
    await maja.say("A surprise for Emil")
    await expect(nils.messages().get_by_text("A surprise for Emil")).to_be_visible()
    after = await newest_epoch()
    held = await epochs_of(emil, "emil")
    assert before in held
    assert after not in held
    assert after in await epochs_of(nils, "nils")


async def test_a_page_that_is_closed_after_its_commit_was_accepted_adopts_it_when_it_is_opened_again(
    encrypting: Server, person: SignedIn
) -> None:
    emil = await _signed_in(encrypting, person, "emil", encrypting.url)
    maja = await _signed_in(encrypting, person, "maja", encrypting.url)
    accepted = asyncio.Event()

    async def accept(route: Route) -> None:
        if route.request.method != "POST":
            await route.fallback()
            return
        assert (await route.fetch()).status == HTTPStatus.CREATED
        accepted.set()  # The page never receives the reply.

    await maja.page.route("**/mls", accept)
    await maja.open("emil")
    await accepted.wait()
    await maja.page.unroute("**/mls")
    await maja.page.reload()

    await maja.say("Still here")
    await emil.open("maja")
    await expect(emil.messages().get_by_text("Still here")).to_be_visible()
    group = await _asked(maja, "GET", f"/conversations/{encrypting.reported['conversations']['direct']}/mls")
    assert (group["generation"], group["epoch"]) == (0, 1)


@pytest.mark.parametrize("lost", ["request", "reply"])
async def test_an_encrypted_message_whose_page_is_closed_while_it_is_sent_is_stored_once(
    encrypting: Server, person: SignedIn, lost: str
) -> None:
    emil = await _signed_in(encrypting, person, "emil", encrypting.url)
    maja = await _signed_in(encrypting, person, "maja", encrypting.url)
    sent = asyncio.Event()

    def connect(page: WebSocketRoute) -> None:
        server = page.connect_to_server()

        def forward(frame: str | bytes) -> None:
            is_message = "new_msg" in str(frame)
            if not (is_message and lost == "request"):
                server.send(frame)
            if is_message:
                sent.set()

        def deliver(frame: str | bytes) -> None:
            if not sent.is_set():
                page.send(frame)

        page.on_message(forward)
        server.on_message(deliver)

    await maja.page.route_web_socket("**/socket/**", connect)
    await maja.page.reload()
    await maja.open("emil")
    await emil.open("maja")
    await expect(maja.page.get_by_text("Only people in this chat can read")).to_be_visible()
    await maja.say("Only once")
    await sent.wait()
    tab = await maja.another_tab()
    await maja.page.close()
    await tab.goto(f"{encrypting.url}/#/c/{encrypting.reported['conversations']['direct']}")

    for messages in (emil.messages(), maja.messages(tab)):
        await expect(messages.get_by_text("Only once")).to_have_count(1)
    await expect(maja.messages(tab).get_by_text("Read by emil").last).to_be_visible()
    direct = f"/conversations/{encrypting.reported['conversations']['direct']}/messages?limit=2"
    stored = (await _asked(emil, "GET", direct))["messages"]
    assert [each["encryption_flag"] for each in stored] == [False, True]


async def test_a_browser_that_lost_its_keys_says_so_and_sends_nothing(encrypting: Server, person: SignedIn) -> None:
    maja = await _signed_in(encrypting, person, "maja", encrypting.url)
    await maja.open("Notes to self")
    await maja.say("Bake the buns")
    # The server keeps the first keys of a device.
    maja.expected_faults = re.compile(f"{LOST_RACE.pattern}|status of 422")
    written = maja.messages().get_by_role("listitem").filter(has_text="Bake the buns")
    await expect(written.get_by_text("Sent", exact=True)).to_be_visible()
    tab = await maja.another_tab()
    await tab.goto(f"{encrypting.url}/healthz")
    await maja.page.close()
    await tab.evaluate(FORGET_KEYS, encrypting.user("maja")["id"])

    await tab.goto(f"{encrypting.url}/#/c/{encrypting.reported['conversations']['self']}")
    await expect(tab.get_by_text("you can only use this chat on the device where you first")).to_be_visible()
    await expect(maja.messages(tab).get_by_text("This message can't be read on this device.")).to_have_count(1)
    await expect(tab.get_by_label("Message to")).to_have_count(0)
