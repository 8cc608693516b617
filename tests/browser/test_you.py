"""Account settings: devices, passkeys, privacy, profile, language and account deletion."""

import pytest
from playwright.async_api import FilePayload, Locator, Page, expect

from tests.browser.conftest import SignedIn
from tests.browser.household import Person, Server
from tests.support.photos import photo

pytestmark = pytest.mark.timeout(180)
_NOTHING_IS_KEPT = """async user => !(await indexedDB.databases()).some(({ name }) => name === `famichat.${user}`)"""
_A_FACE_IS_KEPT = """async () => {
    const kept = JSON.parse(localStorage.getItem("famichat.session"))
    const opening = indexedDB.open(`famichat.${kept.user.id}`)
    const database = await new Promise(done => (opening.onsuccess = () => done(opening.result)))
    const asking = database.transaction("facts").objectStore("facts").getAllKeys()
    const keys = await new Promise(done => (asking.onsuccess = () => done(asking.result)))
    database.close()
    return keys.some(key => key.startsWith("face:"))
}"""
PASSWORD = "a short sentence, for me"


async def test_a_lost_device_is_signed_out_from_another(of_the_family: SignedIn) -> None:
    maja, lost = await of_the_family("maja"), await of_the_family("maja")
    devices = _section(await _you(maja, "Devices"), "Your devices")
    await expect(devices.get_by_role("listitem").first).to_contain_text("This device")
    count = await devices.get_by_role("listitem").count()
    await devices.get_by_role("listitem").nth(1).get_by_role("button", name="Sign out").click()
    await expect(devices.get_by_role("listitem")).to_have_count(count - 1)
    await expect(lost.page.get_by_role("button", name="Sign in")).to_be_visible()
    lost.faults.clear()  # browsers log a 401 as an error


async def test_read_receipts_typing_indicators_and_presence_can_be_turned_off(of_the_family: SignedIn) -> None:
    maja, emil = await of_the_family("maja"), await of_the_family("emil")
    await emil.open("maja")
    await expect(emil.page.get_by_text("Online", exact=True)).to_be_visible()
    reported = _section(await _you(maja, "Privacy"), "Privacy")
    for what in ("Read receipts", "Typing indicator", "Online status"):
        switch = reported.get_by_role("switch", name=what)
        await expect(switch).to_be_checked()
        await switch.press("Space")
        await expect(switch).not_to_be_checked()
    await expect(emil.page.get_by_text("Online", exact=True)).to_be_hidden()
    await emil.say("Are you reading this?")
    await maja.open("emil")
    await maja.messages().get_by_text("Are you reading this?").wait_for()
    await expect(emil.page.get_by_text("Delivered to maja's computer").last).to_be_visible()
    await maja.page.get_by_label("Message to").press_sequentially("Yes")
    await maja.say("No")
    await emil.messages().get_by_text("No", exact=True).wait_for()
    await expect(emil.page.get_by_text("Read by maja")).to_have_count(0)


async def test_a_passkey_is_created_during_setup_and_used_for_the_next_sign_in(
    new_server: Server, person: SignedIn
) -> None:
    maja = await person(new_server.url)
    await _give_authenticator(maja.page)
    await maja.page.goto(new_server.url)
    await maja.page.get_by_label("Setup code").fill(new_server.reported["setup_code"])
    await maja.page.get_by_label("What is your family called?").fill("Sundqvist")
    await maja.page.get_by_label("Your name").fill("Maja")
    await maja.page.get_by_label("Choose a password").fill(PASSWORD)
    await maja.page.get_by_label("Create a passkey on this device").check()
    await maja.page.get_by_role("button", name="Start").click()
    await maja.page.get_by_role("heading", name="The whole family").wait_for()

    you = await _you(maja, "Account")
    passkeys = _section(you, "Passkeys")
    await expect(passkeys.get_by_role("listitem")).to_have_count(1)
    await passkeys.get_by_role("button", name="Add a passkey").click()
    await passkeys.get_by_label("Password", exact=True).fill("not it")
    await passkeys.get_by_role("button", name="Add a passkey").click()
    await expect(passkeys.get_by_role("alert")).to_have_text("Wrong name or password.")
    await passkeys.get_by_label("Password", exact=True).fill(PASSWORD)
    await passkeys.get_by_role("button", name="Add a passkey").click()
    await expect(passkeys.get_by_role("alert")).to_have_text("You already have a passkey on this device.")

    await you.get_by_role("button", name="Sign out", exact=True).click()
    await maja.page.get_by_role("button", name="Use a passkey instead").click()
    await maja.page.get_by_role("heading", name="Chats").wait_for()
    passkeys = _section(await _you(maja, "Account"), "Passkeys")
    await expect(passkeys.get_by_role("listitem")).to_contain_text("Last used")
    await passkeys.get_by_role("button", name="Remove").click()
    await expect(passkeys.get_by_role("listitem")).to_have_count(0)

    maja.faults.clear()  # browsers log a 401 as an error


async def test_a_display_name_and_an_avatar_appear_in_an_open_browser_at_once(of_the_family: SignedIn) -> None:
    inga, maja = await of_the_family("inga"), await of_the_family("maja")
    await maja.open("The whole family")
    await (await inga.open("The whole family")).say("Good morning")
    run = maja.page.locator(".run", has_text="Good morning")
    await expect(run.get_by_text("inga", exact=True)).to_be_visible()

    shown = _section(await _you(inga, "Account"), "Your profile")
    await shown.get_by_label("Your name").fill("Gran & 'Inga' (alert) 🌻")
    await shown.get_by_label("Your name").press("Enter")
    await expect(run.get_by_text("Gran & 'Inga' (alert) 🌻", exact=True)).to_be_visible()
    await shown.get_by_role("radio", name="Automatic").focus()
    await inga.page.keyboard.press("ArrowRight")
    await expect(shown.get_by_role("radio", name="Clay")).to_be_checked()
    await expect(run.locator("[data-colour='0']")).to_have_count(1)
    larger_than_the_server_takes = photo(size=(4000, 3000)) + bytes(8 * 1024 * 1024)
    picture: FilePayload = {"name": "me.jpg", "mimeType": "image/jpeg", "buffer": larger_than_the_server_takes}
    await shown.locator("input[type=file]").set_input_files([picture])
    await expect(shown.get_by_role("button", name="Cancel")).to_be_visible()
    await shown.get_by_role("button", name="Use this photo").click()
    face = run.locator("img")
    await expect(face).to_have_js_property("naturalWidth", 256)

    await maja.until(_A_FACE_IS_KEPT)
    await maja.context.set_offline(offline=True)
    await maja.page.reload()
    await expect(run.get_by_text("Gran & 'Inga' (alert) 🌻", exact=True)).to_be_visible()
    await expect(face).to_have_js_property("naturalWidth", 256)
    await maja.context.set_offline(offline=False)
    await shown.get_by_role("button", name="Remove photo").click()
    await expect(face).to_have_count(0)


async def test_a_display_name_cannot_impersonate_a_user_or_contain_markup(of_the_family: SignedIn) -> None:
    inga = await of_the_family("inga")
    shown = _section(await _you(inga, "Account"), "Your profile")
    for name, why in (
        ("MAJA 🌷", "This name is taken, or too similar to another one."),
        ("<img src=x onerror=alert(1)>", "This name can't be used."),
        ("\u202eagni", "This name can't be used."),
    ):
        await shown.get_by_label("Your name").fill(name)
        await shown.get_by_role("button", name="Save").click()
        await expect(shown.get_by_role("alert")).to_contain_text(why)
    await inga.page.get_by_role("main").get_by_role("button", name="Back").click()
    await expect(inga.page.get_by_role("heading", name="inga")).to_be_visible()
    assert all("409" in fault or "422" in fault for fault in inga.faults)  # browsers log a refused request as an error
    inga.faults.clear()


async def test_everything_is_in_the_chosen_language_at_once(of_the_family: SignedIn) -> None:
    maja = await of_the_family("maja")
    await _you(maja, "Appearance")
    assert await maja.page.evaluate("document.scrollingElement.scrollHeight <= innerHeight")  # only its part scrolls
    await maja.page.get_by_role("combobox").select_option("日本語")
    await expect(maja.page.get_by_role("heading", name="表示")).to_be_visible()
    await maja.page.reload()
    await expect(maja.page.get_by_role("heading", name="表示")).to_be_visible()


async def test_theme_text_size_and_background_are_applied_at_once_and_after_a_reload(of_the_family: SignedIn) -> None:
    maja = await of_the_family("maja")
    you = await _you(maja, "Appearance")
    paper = "getComputedStyle(document.documentElement).backgroundColor"
    light = await maja.page.evaluate(paper)
    await you.get_by_role("radio", name="Dark").check()
    await you.get_by_role("radio", name="Sea").check()
    await you.get_by_role("slider", name="Text size").press("End")
    for _ in range(2):
        assert await maja.page.evaluate(paper) != light
        assert await maja.page.evaluate("getComputedStyle(document.documentElement).fontSize") == "34px"
        assert await maja.page.evaluate("document.scrollingElement.scrollWidth <= innerWidth")
        await maja.page.reload()
        await expect(you.get_by_role("slider", name="Text size")).to_be_visible()
    await you.get_by_role("slider", name="Text size").press("Home")
    await you.get_by_role("radio", name="Same as the device").check()
    assert await maja.page.evaluate(paper) == light


async def test_a_page_of_the_settings_leads_back_to_its_link_in_the_list(of_the_family: SignedIn) -> None:
    maja = await of_the_family("maja")
    await maja.page.goto(f"{maja.url}/#/you")  # the address of earlier versions
    await maja.page.get_by_role("link", name="Storage", exact=True).click()
    await expect(maja.page.get_by_role("heading", name="Storage", exact=True)).to_be_visible()
    await maja.page.get_by_role("main").get_by_role("button", name="Back").click()
    await expect(maja.page.get_by_role("link", name="Storage", exact=True)).to_be_focused()
    await maja.page.go_back()
    await expect(maja.page.get_by_role("heading", name="Storage", exact=True)).to_be_visible()
    await maja.page.get_by_role("main").get_by_role("button", name="Back").click()
    await maja.page.get_by_role("link", name="Help", exact=True).click()
    await expect(maja.page.get_by_role("heading", name="Browser features")).to_be_visible()


async def test_a_user_reads_the_account_history_and_deletes_the_account(demo: Server, of_the_family: SignedIn) -> None:
    emil, maja = await of_the_family("emil"), await of_the_family("maja")
    await maja.open("Summer house")
    await maja.page.get_by_role("button", name="Chat info").click()
    about = maja.page.get_by_role("dialog")
    await about.get_by_role("listitem").filter(has_text="emil").get_by_role("button", name="Make admin").click()
    await expect(about.get_by_role("listitem").filter(has_text="emil")).to_contain_text("Remove as admin")
    you = await _you(emil, "Account")
    await expect(_section(you, "Account activity")).to_contain_text("maja made you an admin of Summer house.")

    ending = _section(you, "Delete your account")
    await ending.get_by_role("button", name="Delete my account").click()
    await ending.get_by_label("Password", exact=True).fill("not it")
    await ending.get_by_role("button", name="Delete permanently").click()
    await expect(ending.get_by_role("alert")).to_have_text("Wrong name or password.")
    await ending.get_by_label("Password", exact=True).fill(demo.user("emil")["password"])
    await ending.get_by_role("button", name="Delete permanently").click()
    await expect(emil.page.get_by_role("button", name="Sign in")).to_be_visible()
    await emil.until(_NOTHING_IS_KEPT, demo.user("emil")["id"])
    emil.faults.clear()  # browsers log a 401 as an error


async def test_a_password_is_changed_in_the_settings_and_other_devices_are_signed_out(
    demo: Server, of_the_family: SignedIn
) -> None:
    maja, other = await of_the_family("maja"), await of_the_family("maja")
    section = _section(await _you(maja, "Account"), "Password")
    await section.get_by_role("button", name="Change password").click()
    await section.get_by_label("Current password", exact=True).fill(demo.user("maja")["password"])
    await section.get_by_label("New password", exact=True).fill(PASSWORD)
    await section.get_by_role("switch", name="Sign out my other devices").press("Space")
    await section.get_by_role("button", name="Save new password").click()
    await expect(section.get_by_role("status")).to_have_text("Your password was changed.")
    await expect(other.page.get_by_role("button", name="Sign in")).to_be_visible()
    other.faults.clear()  # browsers log a 401 as an error


async def _you(person: Person, page: str) -> Locator:
    """Open a page of the settings."""
    await person.page.get_by_role("link", name="Settings").click()
    await person.page.get_by_role("link", name=page, exact=True).click()
    return person.page.get_by_role("main")


def _section(you: Locator, title: str) -> Locator:
    return you.get_by_role("region", name=title)


async def _give_authenticator(page: Page) -> None:
    """Add Chromium's virtual authenticator, which confirms every request."""
    tools = await page.context.new_cdp_session(page)
    await tools.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    await tools.send("WebAuthn.addVirtualAuthenticator", {"options": options})
