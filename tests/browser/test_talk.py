"""Two users in two browsers exchange messages (issue 2)."""

import asyncio
import json
import re
import signal
from functools import partial
from typing import Any

import httpx
import pytest
from playwright.async_api import Locator, Page, WebSocket, expect

from tests.browser.conftest import SignedIn
from tests.browser.household import SEEN_IS_KEPT, TABLET, Person, Server
from tests.browser.much import say_much

pytestmark = pytest.mark.timeout(180)
MOST_ELEMENTS = 4_000  # only a part of a long conversation is rendered

# Each tab is a separate process, and storage changes reach other tabs with a delay. This simulates a busy machine.
_SLOW_TO_HEAR = """() => {
    const seen = {...localStorage}
    const {setItem, removeItem} = Storage.prototype
    Storage.prototype.getItem = key => seen[key] ?? null
    Storage.prototype.setItem = function (key, value) { seen[key] = value; setItem.call(this, key, value) }
    Storage.prototype.removeItem = function (key) { delete seen[key]; removeItem.call(this, key) }
    addEventListener("storage", event => {
        if (!event.isTrusted) return
        event.stopImmediatePropagation()
        setTimeout(() => {
            const {key, newValue} = event
            if (newValue === null) delete seen[key]
            else seen[key] = newValue
            dispatchEvent(new StorageEvent("storage", {key, newValue}))
        }, 500)
    })
}"""


async def test_two_people_talk_and_each_sees_where_a_message_is(of_the_family: SignedIn) -> None:
    maja, emil = await of_the_family("maja"), await of_the_family("emil", **TABLET)
    await maja.open("emil")
    await expect(maja.page.get_by_text("Online", exact=True)).to_be_visible()

    await maja.say("Is there milk?")
    await expect(maja.page.get_by_text("Delivered to emil's tablet").last).to_be_visible()
    await expect(emil.listed("maja")).to_contain_text("Is there milk?")

    await emil.open("maja")
    await expect(maja.page.get_by_text("Read by emil").last).to_be_visible()
    await emil.page.get_by_label("Message to").press_sequentially("Two bot")
    await expect(maja.page.get_by_text("emil is typing…")).to_be_visible()
    await emil.say("Two bottles")
    await expect(maja.messages().get_by_text("Two bottles")).to_be_visible()
    await expect(maja.page.get_by_text("emil is typing…")).to_be_hidden()
    await expect(maja.page.locator("[aria-live=polite]")).to_have_text("emil: Two bottles")


async def test_the_end_stays_in_sight_when_the_content_grows(demo: Server, of_the_family: SignedIn) -> None:
    maja = await of_the_family("maja", viewport={"width": 820, "height": 400})
    await _say_by_http(demo, maja.page, [f"line {number}." for number in range(1, 10)])
    await maja.open("emil")
    last = maja.messages().get_by_text("line 9.", exact=True)
    await expect(last).to_be_in_viewport(ratio=1)

    # As when a font loads: the bubbles grow, although neither the messages nor the region change.
    await maja.page.evaluate(
        "document.querySelectorAll('[data-entry]').forEach(each => { each.style.paddingBlock = '20px' })"
    )

    await expect(last).to_be_in_viewport(ratio=1)


async def test_unread_messages_are_counted_until_they_are_read(of_the_family: SignedIn) -> None:
    maja, emil = await of_the_family("maja"), await of_the_family("emil")
    await emil.open("maja")
    await maja.open("Notes to self")
    entry = maja.listed("emil")
    await emil.say("one")
    await emil.say("two")
    await expect(entry).to_contain_text("3 unread messages")  # one is the demo's own
    await maja.open("emil")
    await expect(entry).not_to_contain_text("unread")


async def test_a_message_written_while_the_server_is_away_waits_and_arrives_once(
    demo: Server, of_the_family: SignedIn
) -> None:
    maja, emil = await of_the_family("maja"), await of_the_family("emil")
    await maja.open("emil")
    await emil.open("maja")
    await expect(maja.messages().get_by_text("something green")).to_be_visible()

    demo.stop(signal.SIGKILL)
    await maja.say("Can you hear me?")
    await expect(maja.page.get_by_text("Waiting to send")).to_be_visible()
    await expect(maja.page.get_by_role("status").filter(has_text="Can't reach your server")).to_be_visible()
    demo.start()

    await expect(emil.messages().get_by_text("Can you hear me?")).to_have_count(1)
    await expect(maja.page.get_by_text("Read by emil").last).to_be_visible()
    await expect(maja.messages().get_by_text("Can you hear me?")).to_have_count(1)
    await emil.say("Loud and clear")
    await expect(maja.messages().get_by_text("Loud and clear")).to_be_visible()


async def test_data_survives_closing_the_tab_and_is_available_offline(demo: Server, of_the_family: SignedIn) -> None:
    maja, maja_id = await of_the_family("maja"), demo.user("maja")["id"]
    await maja.open("emil")
    await maja.page.get_by_label("Message to").press_sequentially("Half a sen")
    await maja.open("Notes to self")
    await expect(maja.messages().get_by_text("cardamom")).to_be_visible()
    await maja.until(SEEN_IS_KEPT, [maja_id, "cardamom"])
    shell = await maja.context.new_page()  # a page of the same origin that works without the server
    await shell.goto(maja.url)
    await expect(maja.listed("emil", shell)).to_be_visible()
    demo.stop(signal.SIGKILL)
    for line in ("Buy candles", "Buy matches"):
        await maja.say(line)
    await expect(maja.page.get_by_text("Waiting to send")).to_have_count(2)
    await maja.listed("Notes to self", shell).click()
    await expect(maja.messages(shell).get_by_text("cardamom")).to_be_visible()
    await expect(shell.get_by_text("Waiting to send")).to_have_count(2)  # the other tab reads storage
    await maja.page.close()
    await expect(shell.get_by_text("Waiting to send")).to_have_count(2)
    await maja.listed("emil", shell).click()
    await expect(shell.get_by_label("Message to emil")).to_have_value("Half a sen")
    demo.start()
    await maja.listed("Notes to self", shell).click()
    await expect(shell.get_by_text("Waiting to send")).to_have_count(0)
    await expect(shell.get_by_text("Sent", exact=True).last).to_be_visible()
    sent_message = await maja.messages(shell).inner_text()
    assert re.findall(r"Buy (\w+)", sent_message) == ["candles", "matches"]


async def test_scrolling_back_loads_earlier_messages(demo: Server, of_the_family: SignedIn) -> None:
    maja = await of_the_family("maja")
    await _say_by_http(demo, maja.page, [f"line {number}." for number in range(1, 401)])
    await maja.open("emil")
    await expect(maja.messages().get_by_text("line 400.", exact=True)).to_be_in_viewport()
    seen = await maja.read_through(up=True, until=maja.page.get_by_text("This is the start of the chat."))
    assert [line for line in seen if line.startswith("line ")] == [f"line {number}." for number in range(1, 401)]


async def test_a_page_after_a_long_absence_starts_at_the_first_unread_message_and_gets_everything_once(
    demo: Server, of_the_family: SignedIn
) -> None:
    maja = await of_the_family("maja")
    await maja.open("emil")
    await expect(maja.messages().get_by_text("something green")).to_be_visible()
    demo.stop()
    await say_much(demo, "emil", [f"line {number}." for number in range(1, 2_501)])
    demo.start()
    await expect(maja.page.get_by_text("New messages", exact=True)).to_be_in_viewport(timeout=60_000)
    await expect(maja.messages().get_by_text("line 1.", exact=True)).to_be_in_viewport()

    end = maja.messages().get_by_text("line 2500.", exact=True)
    seen = await maja.read_through(up=False, until=end)
    assert [line for line in seen if line.startswith("line ")] == [f"line {number}." for number in range(1, 2_501)]
    assert await maja.messages().locator("*").count() < MOST_ELEMENTS


@pytest.mark.parametrize("withheld", ["", "locks"], ids=["on HTTPS", "on plain HTTP"])
async def test_all_tabs_stay_signed_in_when_the_token_runs_out_and_only_one_renews_it(
    of_the_family: SignedIn, withheld: str
) -> None:
    maja = await of_the_family("maja")
    await maja.context.add_init_script(f"({_SLOW_TO_HEAR})()")
    if withheld:  # browsers do not have it there
        await maja.context.add_init_script("Object.defineProperty(Navigator.prototype, 'locks', {value: undefined})")
    tabs = [maja.page, await maja.another_tab(), await maja.another_tab()]
    await maja.page.goto(f"{maja.url}/healthz")  # no request is in flight while the token expires
    await maja.page.evaluate(
        """() => {
            const kept = JSON.parse(localStorage.getItem("famichat.session"))
            localStorage.setItem("famichat.session", JSON.stringify({...kept, access_token: "stale", expires_at: 0}))
        }"""
    )
    for tab in tabs:
        await tab.goto(maja.url, wait_until="commit")
    for tab in tabs:
        await expect(maja.listed("emil", tab)).to_be_visible()
    assert len([url for url in maja.requests if url.endswith("/sessions/refresh")]) == 1


async def test_networks_without_websockets_get_by_with_long_polling(demo: Server, person: SignedIn) -> None:
    maja, emil = await person(demo.url), await person(demo.url)
    await maja.context.add_init_script("WebSocket = undefined")
    for who, name, other in ((maja, "maja", "emil"), (emil, "emil", "maja")):
        await who.sign_in(name, demo.user(name)["password"])
        await who.open(other)
    await maja.say("The hotel's network is odd")
    await expect(emil.messages().get_by_text("network is odd")).to_be_visible()
    await emil.say("I hear you")
    await expect(maja.messages().get_by_text("I hear you")).to_be_visible()
    assert any("/socket/longpoll" in url for url in maja.requests)
    assert not any("token=ey" in url for url in maja.requests)


async def test_two_tabs_share_drafts_and_send_each_message_once(demo: Server, of_the_family: SignedIn) -> None:
    maja = await of_the_family("maja")
    await maja.open("Notes to self")
    tab = await maja.another_tab()
    pushed: list[str] = []
    received: list[asyncio.Event] = []
    for page in (maja.page, tab):
        received.append(asyncio.Event())
        page.on("websocket", partial(_overhear, pushed, received[-1]))
    await tab.goto(maja.page.url)
    await maja.page.reload()
    for page, connected in zip((maja.page, tab), received, strict=True):
        await asyncio.wait_for(connected.wait(), 20)  # they may show cached data
        await expect(maja.messages(page).get_by_text("cardamom")).to_be_visible()
    await tab.get_by_label("Message to").press_sequentially("From the other")
    await expect(maja.page.get_by_label("Message to")).to_have_value("From the other")

    demo.stop(signal.SIGKILL)
    lines = [f"{number}. line" for number in range(1, 11)]
    for number, line in enumerate(lines):
        box = (maja.page, tab)[number % 2].get_by_label("Message to")
        await box.fill(line)
        await box.press("Enter")
    for page in (maja.page, tab):
        await expect(page.get_by_text("Waiting to send")).to_have_count(len(lines))
    demo.start()
    for page in (maja.page, tab):
        await expect(page.get_by_text("Waiting to send")).to_have_count(0)
        # One tab has sent it; the other shows it after it has reconnected.
        sent_message = maja.messages(page).get_by_text(re.compile(r"\d+\. line"))
        await expect(sent_message).to_have_count(len(lines))
    # A tab that gets no reply in time repeats a message under the same ID, and the server stores it once.
    frames = [(line, frame) for line in lines for frame in pushed if f'"{line}"' in frame and '"new_msg"' in frame]
    sent = {(line, json.loads(frame)[4]["client_id"]) for line, frame in frames}
    assert sorted(line for line, _ in sent) == sorted(lines)


async def test_a_keyboard_is_enough(demo: Server, person: SignedIn) -> None:
    maja = await person(demo.url, viewport={"width": 600, "height": 800})
    page = maja.page
    await page.goto(demo.url)
    await _tab_to(page, page.get_by_label("Name or email"))
    await page.keyboard.type("maja")
    await page.keyboard.press("Tab")
    await page.keyboard.type(demo.user("maja")["password"])
    await page.keyboard.press("Enter")
    await maja.listed("emil").wait_for()
    await _tab_to(page, maja.listed("emil"))
    await page.keyboard.press("Enter")
    await expect(page.get_by_label("Message to")).to_be_focused()
    await page.keyboard.type("one")
    await page.keyboard.press("Shift+Enter")
    await page.keyboard.type("two")
    await page.keyboard.press("Enter")
    await expect(maja.messages().get_by_text("one\ntwo")).to_be_visible()

    about = page.get_by_role("button", name="Chat info")
    await _tab_to(page, about, back=True)
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("dialog")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog")).to_have_count(0)
    await expect(about).to_be_focused()
    await page.keyboard.press("Enter")
    await _tab_to(page, page.get_by_role("dialog").get_by_role("button", name="Close"))
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("dialog")).to_have_count(0)
    await expect(about).to_be_focused()
    await _tab_to(page, page.get_by_role("button", name="Back to chats"), back=True)
    await page.keyboard.press("Enter")
    await expect(maja.listed("emil")).to_be_focused()


async def test_a_conversation_with_a_family_member_is_started(of_the_family: SignedIn) -> None:
    maja, inga = await of_the_family("maja"), await of_the_family("inga")
    await _begin(maja, "inga")
    await maja.say("Dear Inga")
    await expect(inga.listed("maja").filter(has_text="Dear Inga")).to_be_visible()

    await maja.page.get_by_role("button", name="New chat").click()
    for name in ("inga", "nils"):
        await maja.page.get_by_role("checkbox", name=name).check()
    await maja.page.get_by_label("What is the group called?").fill("Buns")
    await maja.page.get_by_role("button", name="Start").click()
    await maja.page.get_by_role("heading", name="Buns").wait_for()
    await maja.say("Who takes the last one?")
    await inga.open("Buns")
    await expect(inga.messages().get_by_text("Who takes the last one?")).to_be_visible()


async def test_it_speaks_japanese_and_enter_chooses_a_word_before_it_sends(demo: Server, person: SignedIn) -> None:
    maja = await person(demo.url, locale="ja-JP")
    page = maja.page
    await page.goto(demo.url)
    await expect(page.get_by_role("heading", name="おかえりなさい")).to_be_visible()
    assert await page.evaluate("document.documentElement.lang") == "ja"
    await page.get_by_label("名前またはメールアドレス").fill("maja")
    await page.get_by_label("パスワード", exact=True).fill(demo.user("maja")["password"])
    await page.get_by_role("button", name="ログイン").click()
    await maja.listed("emil").click()
    box = page.locator("main textarea")
    await box.fill("牛乳をお願い")
    for composing in (True, False):
        event = {"key": "Enter", "isComposing": composing, "bubbles": True, "cancelable": True}
        await box.dispatch_event("keydown", event)
        await expect(box).to_have_value("牛乳をお願い" if composing else "")
    await expect(page.locator("[data-entry]").last).to_contain_text("牛乳をお願い")
    await expect(page.get_by_text("送信済み").last).to_be_visible()
    await page.set_viewport_size({"width": 320, "height": 640})
    wrapped = await box.evaluate("field => field.offsetHeight > parseFloat(getComputedStyle(field).minBlockSize)")
    assert not wrapped, "the placeholder takes one line on the smallest phone"


async def test_a_message_written_offline_survives_closing_the_tab_and_arrives_once(
    demo: Server, of_the_family: SignedIn
) -> None:
    maja, emil = await of_the_family("maja"), await of_the_family("emil")
    await emil.open("maja")
    await maja.open("emil")
    await maja.until(SEEN_IS_KEPT, [demo.user("maja")["id"], "something green"])
    await maja.page.evaluate("navigator.serviceWorker.ready")
    await maja.context.set_offline(offline=True)
    await maja.page.reload()  # an open socket survives a network loss for a while
    await maja.say("From the tunnel")
    await expect(maja.page.get_by_text("Waiting to send")).to_be_visible()
    await maja.page.close()
    await maja.context.set_offline(offline=False)
    await expect(emil.messages().get_by_text("From the tunnel")).to_have_count(0)

    tab = await maja.another_tab()
    await tab.goto(maja.url)
    await expect(emil.messages().get_by_text("From the tunnel")).to_have_count(1)
    await maja.listed("emil", tab).click()
    await expect(tab.get_by_text("Read by emil").last).to_be_visible()
    await expect(maja.messages(tab).get_by_text("From the tunnel")).to_have_count(1)


async def test_a_wrong_password_shows_an_error_message(demo: Server, person: SignedIn) -> None:
    maja = await person(demo.url)
    await maja.page.goto(demo.url)
    await maja.page.get_by_label("Name or email").fill("maja")
    await maja.page.get_by_label("Password", exact=True).fill("not it")
    await maja.page.get_by_role("button", name="Sign in").click()
    await expect(maja.page.get_by_role("alert")).to_have_text("Wrong name or password.")
    maja.faults.clear()  # browsers log a 401 as an error


async def test_signing_out_ends_it_in_all_tabs(of_the_family: SignedIn) -> None:
    maja = await of_the_family("maja")
    tab = await maja.another_tab()
    await tab.goto(maja.url)
    for page in (tab, maja.page):  # requests in flight would be refused, which the browser reports as errors
        await page.wait_for_load_state("networkidle")
    await tab.get_by_role("link", name="Settings").click()
    await tab.get_by_role("link", name="Account", exact=True).click()
    await tab.get_by_role("button", name="Sign out", exact=True).click()
    for page in (tab, maja.page):
        await expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    assert await maja.page.evaluate("localStorage.getItem('famichat.session')") is None


def _overhear(pushed: list[str], connected: asyncio.Event, socket: WebSocket) -> None:
    socket.on("framesent", lambda frame: pushed.append(str(frame)))
    socket.on("framereceived", lambda frame: connected.set() if "message:self" in str(frame) else None)


async def _begin(person: Person, name: str) -> None:
    await person.page.get_by_role("button", name="New chat").click()
    await person.page.get_by_role("checkbox", name=name).check()
    await person.page.get_by_role("button", name="Start").click()
    await person.page.get_by_role("heading", name=name).wait_for()


async def _tab_to(page: Page, goal: Locator, *, back: bool = False) -> None:
    for _ in range(20):
        if await goal.evaluate("element => element === document.activeElement"):
            return
        await page.keyboard.press("Shift+Tab" if back else "Tab")
    raise AssertionError(f"no Tab leads to {goal}")


async def _say_by_http(demo: Server, page: Page, bodies: list[str]) -> None:
    """Send many messages in the direct conversation as the user signed in on a page."""
    kept: dict[str, Any] = json.loads(await page.evaluate("localStorage.getItem('famichat.session')"))
    headers = {"authorization": f"Bearer {kept['access_token']}"}
    async with httpx.AsyncClient(base_url=f"{demo.url}/api/v1", headers=headers, trust_env=False, timeout=30) as http:
        for body in bodies:
            path = f"/conversations/{demo.reported['conversations']['direct']}/messages"
            (await http.post(path, json={"body": body})).raise_for_status()
