"""The menu of a message by touch, mouse and key, and the swipe that replies."""

import pytest
from playwright.async_api import FilePayload, Locator, expect

from tests.browser.conftest import SignedIn
from tests.browser.gestures import hold, swipe
from tests.browser.household import Person
from tests.browser.test_changes import PHONE, entry
from tests.support.photos import photo

pytestmark = pytest.mark.timeout(120)


def bubble(who: Person, text: str) -> Locator:
    return entry(who, text).locator(".bubble")


def menu(who: Person) -> Locator:
    return who.page.get_by_role("dialog", name="Message options")


async def test_a_finger_that_is_held_opens_the_menu_and_one_that_swipes_replies(of_the_family: SignedIn) -> None:
    emil = await of_the_family("emil", **PHONE)
    await emil.open("maja")
    for text in ("The ferry at ten or noon?", "Bring the tent, please"):
        await emil.say(text)
    tent = bubble(emil, "Bring the tent, please")
    await expect(entry(emil, "Bring the tent, please")).to_contain_text("Sent")
    dots = await entry(emil, "Bring the tent, please").get_by_label("Message options").bounding_box()
    assert dots is not None
    assert dots["width"] <= 1, "a touch screen shows no dots"

    await hold(emil, tent)
    await expect(menu(emil).get_by_role("button", name="Reply")).to_be_visible()
    await expect(menu(emil).get_by_role("button", name="Copy")).to_be_visible()
    await menu(emil).get_by_role("button", name="Select text").tap()
    await menu(emil).get_by_text("Bring the tent, please").dblclick()
    assert await emil.page.evaluate("getSelection().toString().trim()") != ""
    await emil.page.keyboard.press("Escape")

    replying = emil.page.get_by_text("Replying to You")
    await swipe(emil, tent, right=50)
    await swipe(emil, tent, right=20, down=60)
    await expect(replying).to_have_count(0)
    await swipe(emil, tent, right=80)
    await expect(replying).to_be_visible()
    await emil.say("Got it")
    await expect(entry(emil, "Got it").get_by_role("blockquote")).to_contain_text("Bring the tent")


async def test_a_mouse_opens_the_menu_where_it_is_and_copies(of_the_family: SignedIn) -> None:
    maja = await of_the_family("maja")
    await maja.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await maja.open("emil")
    await maja.say("The key is under the blue pot")
    key = bubble(maja, "The key is under the blue pot")
    await expect(entry(maja, "The key is under the blue pot")).to_contain_text("Sent")

    await key.click(button="right", position={"x": 20, "y": 10})
    opened, pressed = await menu(maja).bounding_box(), await key.bounding_box()
    assert opened
    assert pressed
    assert opened["x"] == pytest.approx(min(pressed["x"] + 20, 1272 - opened["width"]), abs=2)
    assert opened["x"] + opened["width"] <= 1280, "it is drawn within the window"
    await menu(maja).get_by_role("button", name="Copy").click()
    await expect(menu(maja)).to_have_count(0)
    assert await maja.page.evaluate("navigator.clipboard.readText()") == "The key is under the blue pot"

    await key.dblclick(position={"x": 5, "y": 20})
    await expect(menu(maja)).to_be_visible()
    await maja.page.mouse.click(5, 5)
    await expect(menu(maja)).to_have_count(0)

    # As over plain HTTP.
    await maja.page.evaluate("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    await maja.say("Milk")
    await entry(maja, "Milk").get_by_label("Message options").press("Enter")
    await menu(maja).get_by_role("button", name="Copy").click()
    await expect(menu(maja)).to_have_count(0)
    box = maja.page.get_by_label("Message to")
    await box.focus()
    await maja.page.keyboard.press("Control+v")
    await expect(box).to_have_value("Milk")


async def test_keys_act_on_the_message_that_has_the_focus(of_the_family: SignedIn) -> None:
    maja = await of_the_family("maja")
    await maja.open("emil")
    for text in ("First", "Second"):
        await maja.say(text)
    await expect(entry(maja, "Second")).to_contain_text("Sent")
    await entry(maja, "Second").get_by_label("Message options").focus()
    press = maja.page.keyboard.press

    await press("ArrowUp")
    await expect(entry(maja, "First")).to_be_focused()
    await press("r")
    await expect(maja.page.get_by_text("Replying to You")).to_be_visible()
    await press("Escape")
    await entry(maja, "First").focus()
    await press("Shift+F10")
    await expect(menu(maja)).to_be_visible()
    await press("Escape")
    await entry(maja, "First").focus()
    await press("Delete")
    await expect(menu(maja)).to_contain_text("This can't be undone")
    await press("Escape")
    await entry(maja, "First").focus()
    await press("e")
    await expect(maja.page.get_by_label("Message to")).to_have_value("First")


async def test_a_photo_with_its_caption_is_forwarded_to_several_chats(of_the_family: SignedIn) -> None:
    maja, inga = await of_the_family("maja"), await of_the_family("inga", **PHONE)
    await maja.open("emil")
    picture: FilePayload = {"name": "lake.jpg", "mimeType": "image/jpeg", "buffer": photo(size=(80, 60))}
    await maja.page.locator("input[type=file]").set_input_files(picture)
    await maja.say("Our lake")
    await expect(entry(maja, "Our lake")).to_contain_text("Sent")
    await entry(maja, "Our lake").get_by_label("Message options").focus()
    await maja.page.keyboard.press("f")

    sheet = maja.page.get_by_role("dialog", name="Forward to…")
    await sheet.get_by_label("Search chats").fill("famil")
    await sheet.get_by_role("checkbox", name="The whole family").check()
    await sheet.get_by_label("Search chats").fill("")
    await sheet.get_by_role("checkbox", name="Summer house").check()
    await sheet.get_by_role("button", name="Send").click()
    await expect(sheet).to_have_count(0)
    for chat in ("The whole family", "Summer house"):
        await inga.page.goto(f"{inga.url}/#")
        await inga.open(chat)
        await expect(entry(inga, "Our lake").get_by_role("button", name="Photo: lake.jpg")).to_be_visible()
        await expect(entry(inga, "Our lake")).to_contain_text("Forwarded")


async def test_enter_is_a_new_line_on_a_phone_and_the_up_arrow_edits_the_last_message(of_the_family: SignedIn) -> None:
    phone, laptop = await of_the_family("emil", **PHONE), await of_the_family("emil")
    for each in (phone, laptop):
        await each.open("maja")
    box = phone.page.get_by_label("Message to")
    await box.tap()
    await phone.page.keyboard.type("Milk")
    await phone.page.keyboard.press("Enter")
    await phone.page.keyboard.type("Bread")
    await phone.page.get_by_role("button", name="Send", exact=True).tap()
    await expect(laptop.messages().get_by_text("Milk\nBread")).to_be_visible()

    await laptop.page.get_by_label("Message to").press("ArrowUp")
    await expect(laptop.page.get_by_label("Message to")).to_have_value("Milk\nBread")
    await laptop.page.keyboard.type("!")
    await laptop.page.keyboard.press("Enter")
    await expect(phone.messages().get_by_text("Milk\nBread!")).to_be_visible()


async def test_a_question_mark_lists_the_shortcuts_unless_a_text_field_has_the_focus(of_the_family: SignedIn) -> None:
    maja = await of_the_family("maja")
    await maja.open("emil")
    sheet = maja.page.get_by_role("dialog", name="Keyboard shortcuts")
    box = maja.page.get_by_label("Message to")
    await box.press("?")
    await expect(sheet).to_have_count(0)
    await box.fill("")
    await maja.page.get_by_role("button", name="Chat info").focus()
    await maja.page.keyboard.press("?")
    await expect(sheet).to_contain_text("edit your last message")
    await maja.page.keyboard.press("Escape")
    await box.focus()
    await maja.page.keyboard.press("Control+/")
    await expect(sheet).to_be_visible()
