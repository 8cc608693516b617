"""Reply to, react to, edit and delete messages by touch, mouse and keyboard."""

import re

import pytest
from playwright.async_api import FilePayload, Locator, expect

from tests.browser.conftest import SignedIn
from tests.browser.gestures import hold
from tests.browser.household import SEEN_IS_KEPT, Person, Server
from tests.browser.much import answer, say_much
from tests.support.photos import photo

pytestmark = pytest.mark.timeout(180)

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


def entry(person: Person, text: str) -> Locator:
    """Return the message with this text."""
    words = person.page.locator("p", has_text=re.compile(rf"^\s*{re.escape(text)}\s*$"))
    return person.messages().locator("[data-entry]").filter(has=words)


async def choose(person: Person, text: str, *buttons: str, stays_open: bool = False) -> None:
    """Open the menu of a message and press one of its items, which may open another dialog."""
    menu = entry(person, text).get_by_role("button", name="Message options")
    await menu.focus()
    await person.page.keyboard.press("Enter")
    for each in buttons:
        await person.page.get_by_role("dialog").get_by_role("button", name=each, exact=True).click()
    if not stays_open:
        await expect(person.page.get_by_role("dialog")).to_be_hidden()


async def test_changes_to_a_message_appear_for_the_other_user_at_once(of_the_family: SignedIn) -> None:
    maja, emil = await of_the_family("maja"), await of_the_family("emil", **PHONE)
    await maja.open("emil")
    await emil.open("maja")
    await maja.say("Dinner at six?")

    await hold(emil, entry(emil, "Dinner at six?").locator(".bubble"))
    await emil.page.get_by_role("button", name="React with ❤️").tap()
    sign = maja.messages().get_by_role("button", name="emil reacted with ❤️")
    await expect(sign).to_be_visible()
    await sign.click()
    await expect(emil.messages().get_by_role("button", name="You and maja reacted with ❤️")).to_be_visible()

    await choose(emil, "Dinner at six?", "Reply")
    await expect(emil.page.get_by_label("Message to")).to_be_focused()
    await emil.say("Six is fine")
    await expect(entry(maja, "Six is fine").get_by_role("blockquote")).to_contain_text("Dinner at six?")

    await choose(maja, "Dinner at six?", "Edit")
    box = maja.page.get_by_label("Message to")
    await expect(box).to_have_value("Dinner at six?")
    await maja.say("Dinner at seven?")
    await expect(entry(emil, "Dinner at seven?")).to_be_visible()
    await expect(entry(emil, "Six is fine").get_by_role("blockquote")).to_contain_text("Dinner at seven?")
    await expect(box).to_have_value("")
    await emil.messages().get_by_role("button", name="edited").tap()
    await expect(emil.page.get_by_role("dialog")).to_contain_text("Dinner at six?")
    await emil.page.keyboard.press("Escape")

    await choose(maja, "Dinner at seven?", "Delete for everyone", "Delete")
    await expect(emil.messages().get_by_text("maja deleted this message.").first).to_be_visible()
    await expect(maja.messages().get_by_text("You deleted this message.").first).to_be_visible()
    await expect(maja.messages().get_by_role("button", name="reacted with ❤️")).to_have_count(0)


async def test_a_user_who_was_offline_sees_the_current_state(demo: Server, of_the_family: SignedIn) -> None:
    maja, emil = await of_the_family("maja"), await of_the_family("emil")
    await maja.open("emil")
    await emil.open("maja")
    for text in ("one", "two", "three"):
        await maja.say(text)
    await expect(entry(emil, "three")).to_be_visible()
    await emil.until(SEEN_IS_KEPT, [demo.user("emil")["id"], "three"])
    await emil.page.goto("about:blank")

    await choose(maja, "one", "Edit")
    await maja.say("uno")
    await choose(maja, "two", "Delete for everyone", "Delete")
    await choose(maja, "three", "React with 👍")
    await expect(maja.messages().get_by_role("button", name="You reacted with 👍")).to_be_visible()
    await emil.page.goto(emil.url)
    await emil.open("maja")

    await expect(entry(emil, "uno")).to_be_visible()
    await expect(emil.messages().get_by_text("maja deleted this message.")).to_be_visible()
    await expect(emil.messages().get_by_role("button", name="maja reacted with 👍")).to_be_visible()

    demo.stop()
    await expect(maja.page.get_by_role("status").filter(has_text="Can't reach your server")).to_be_visible()
    await maja.messages().get_by_role("button", name="You reacted with 👍").click()
    await expect(maja.messages().get_by_role("alert")).to_contain_text("Can't reach your server.")
    await expect(maja.messages().get_by_role("button", name="You reacted with 👍")).to_be_visible()


async def test_a_caption_is_added_to_a_sent_photo(of_the_family: SignedIn) -> None:
    maja, emil = await of_the_family("maja"), await of_the_family("emil")
    await maja.open("emil")
    await emil.open("maja")
    picture: FilePayload = {"name": "lake.jpg", "mimeType": "image/jpeg", "buffer": photo(size=(80, 60))}
    await maja.page.locator("input[type=file]").set_input_files(picture)
    await maja.page.get_by_role("button", name="Send", exact=True).click()
    sent = maja.messages().locator("[data-entry]").filter(has=maja.page.get_by_role("button", name="Photo: lake.jpg"))
    await sent.get_by_role("button", name="Message options").focus()
    await maja.page.keyboard.press("Enter")
    await maja.page.get_by_role("dialog").get_by_role("button", name="Edit", exact=True).click()
    await expect(maja.page.get_by_label("Message to")).to_have_value("")
    await maja.say("Our lake")

    await expect(entry(emil, "Our lake").get_by_role("button", name="Photo: lake.jpg")).to_be_visible()


async def test_pressing_a_quote_jumps_to_the_message_and_moves_the_focus(demo: Server, of_the_family: SignedIn) -> None:
    demo.stop()
    first, *_ = await say_much(demo, "emil", [f"line {number}." for number in range(1, 400)])
    demo.start()
    emil = await of_the_family("emil", **PHONE)
    await answer(demo, emil, first, "It began here")
    await emil.open("maja")
    quote = emil.messages().get_by_role("button", name="Go to this message: You line 1.")
    await expect(quote).to_be_in_viewport()
    await expect(entry(emil, "line 1.")).to_have_count(0)

    await quote.tap()
    await expect(entry(emil, "line 1.")).to_be_in_viewport()
    await expect(entry(emil, "line 1.")).to_be_focused()
    await emil.page.keyboard.press("Tab")
    menu = entry(emil, "line 1.").get_by_role("button", name="Message options")
    await expect(menu).to_be_focused()

    seen = await emil.read_through(up=False, until=quote)
    await quote.tap()  # the message has arrived
    await expect(entry(emil, "line 1.")).to_be_in_viewport()
    await emil.page.get_by_label("Jump to latest").tap()
    assert [each for each in seen if each.startswith("line")] == [f"line {number}." for number in range(1, 400)]
    await emil.say("And it goes on")
    await expect(entry(emil, "And it goes on")).to_be_in_viewport()
