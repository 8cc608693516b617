"""The search on the device: in the whole history, by keyboard and touch, and what it forgets."""

import asyncio
from typing import Final

import pytest
from playwright.async_api import Locator, expect

from tests.browser.conftest import SignedIn
from tests.browser.household import ASK_AXE, AXE, Person, Server
from tests.browser.much import say_much
from tests.browser.screens import PHONE

pytestmark = pytest.mark.timeout(120)
MESSAGES: Final = 450  # the device has the last 60 of them before the history is fetched
_NO_TEXTS_ARE_KEPT: Final = """async user =>
    !(await indexedDB.databases()).some(({ name }) => name === `famichat.${user}.search`)"""


async def test_an_old_message_is_found_and_shown_by_keyboard(demo: Server, of_the_family: SignedIn) -> None:
    await _write_history(demo)
    maja = await of_the_family("maja")
    await maja.page.keyboard.press("Control+k")
    field = maja.page.get_by_label("Search chats and messages")
    await expect(field).to_be_focused()
    await field.press_sequentially("サクラ CREME")
    await expect(_found(maja)).to_have_count(1)
    assert await _found(maja).locator("mark").all_inner_texts() == ["さくら", "Crème"]
    await maja.page.evaluate(await asyncio.to_thread(AXE.read_text))
    assert await maja.page.evaluate(ASK_AXE, {}) == []

    await field.press("ArrowDown")
    await expect(_found(maja)).to_be_focused()
    await maja.page.keyboard.press("Enter")
    await expect(_message(maja, "さくら")).to_be_in_viewport()
    await maja.page.keyboard.press("Control+k")
    await expect(field).to_be_focused()
    await field.fill("emi")
    await field.press("Enter")
    await expect(maja.page.get_by_role("heading", name="emil")).to_be_visible()
    await expect(maja.page.get_by_role("heading", name="Chats")).to_be_visible()


async def test_on_a_phone_back_returns_to_the_results(demo: Server, of_the_family: SignedIn) -> None:
    await _write_history(demo)
    maja = await of_the_family("maja", **PHONE)
    await maja.page.get_by_role("button", name="Search", exact=True).tap()
    await maja.page.get_by_label("Search chats and messages").fill("blue pot")
    await expect(_found(maja)).to_have_count(1)
    await _found(maja).tap()
    await expect(_message(maja, "blue pot")).to_be_in_viewport()
    await maja.page.go_back()
    await expect(_found(maja)).to_be_visible()
    assert "#/search?q=blue%20pot" in maja.page.url
    await maja.page.get_by_role("button", name="Close search").tap()
    await expect(maja.listed("emil")).to_be_visible()


async def test_a_deleted_message_is_not_found_and_a_sign_out_deletes_the_texts(
    demo: Server, of_the_family: SignedIn
) -> None:
    maja, emil = await of_the_family("maja"), await of_the_family("emil")
    await emil.open("maja")
    await emil.say("The pump is broken")
    await maja.page.keyboard.press("Control+k")
    await maja.page.get_by_label("Search chats and messages").fill("pump")
    await expect(_found(maja)).to_have_count(1)
    await emil.messages().get_by_role("button", name="Message options").last.click()
    await emil.page.get_by_role("button", name="Delete for everyone").click()
    await emil.page.get_by_role("dialog").get_by_role("button", name="Delete", exact=True).click()
    await expect(_found(maja)).to_have_count(0)

    user = demo.user("maja")["id"]
    await maja.page.goto(f"{demo.url}/#/settings/account")
    await maja.page.get_by_role("button", name="Sign out", exact=True).click()
    await maja.page.get_by_label("Name or email").wait_for()
    assert await maja.page.evaluate(_NO_TEXTS_ARE_KEPT, user)


async def test_one_chat_is_searched_from_result_to_result(demo: Server, of_the_family: SignedIn) -> None:
    await _write_history(demo)
    maja = await of_the_family("maja")
    await maja.open("emil")
    await maja.page.get_by_role("button", name="Search in this chat").click()
    field = maja.page.get_by_role("searchbox", name="Search in this chat")
    await field.fill("hundred of")
    search = maja.page.get_by_role("search", name="Search in this chat")
    await expect(search.get_by_role("status")).to_have_text("1 of 4")
    await expect(_message(maja, "message 400, a round hundred of")).to_be_in_viewport()
    await search.get_by_role("button", name="Previous result").click()
    await expect(_message(maja, "message 300, a round hundred of")).to_be_in_viewport()
    await field.press("Enter")
    await expect(search.get_by_role("status")).to_have_text("3 of 4")
    await field.press("Escape")
    await expect(search).to_be_hidden()


async def _write_history(demo: Server) -> None:
    demo.stop()
    await say_much(demo, "maja", [_text(number) for number in range(1, MESSAGES + 1)])
    demo.start()


def _text(number: int) -> str:
    special = {7: "The key is under the blue pot", 20: "さくら and Crème brûlée"}
    if number in special:
        return special[number]
    return f"message {number}, a round hundred of them" if number % 100 == 0 else f"message {number} of many"


def _found(who: Person) -> Locator:
    """The messages that were found in all chats."""
    return who.page.get_by_role("search", name="Search", exact=True).locator("a[href*='/c/']:has(mark)")


def _message(who: Person, text: str) -> Locator:
    return who.messages().get_by_text(text)
