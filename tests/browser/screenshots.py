"""Makes the pictures in `docs/screenshots/`, from the demo: `python -m tests.browser.screenshots`."""

import asyncio
import tempfile
from pathlib import Path
from typing import Any

import httpx
from playwright.async_api import Browser, Page, expect

from tests.browser.household import ROOT, Person, Server, a_browser, someone

PICTURES = ROOT / "docs" / "screenshots"
WIDE: dict[str, Any] = {"viewport": {"width": 1280, "height": 800}}
PHONE: dict[str, Any] = {
    "viewport": {"width": 390, "height": 844},
    "device_scale_factor": 2,
    "is_mobile": True,
    "has_touch": True,
    "color_scheme": "dark",
}


async def main() -> None:
    """Let the demo's family talk, and look over their shoulders."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as directory:
        server = Server(Path(directory) / "demo").start()
        try:
            async with a_browser() as browser:
                await _talk(browser, server)
                await _events(browser, server)
        finally:
            server.stop()


async def _talk(browser: Browser, server: Server) -> None:
    maja = await someone(browser, server.url, **WIDE)
    await maja.page.goto(server.url)
    await maja.page.get_by_role("button", name="Sign in").wait_for()
    await _picture(maja.page, "sign-in")
    inga = await someone(browser, server.url, **PHONE)
    for who, name in ((maja, "maja"), (inga, "inga")):
        await who.sign_in(name, server.user(name)["password"])
        await who.open("The whole family")
    await maja.say("Shall we bring anything?")
    await inga.messages().get_by_text("Shall we bring anything?").wait_for()
    await inga.say("Only yourselves, and an appetite. Emil, please take the big table from the cellar on your way up.")
    await maja.say("He says he will. See you on Sunday!")
    await maja.page.get_by_text("Read by inga").last.wait_for()
    await inga.page.get_by_label("Message to").press_sequentially("I look forward to it")
    await maja.page.get_by_text("inga is typing…").wait_for()
    await _picture(maja.page, "talk-wide-light")
    await _picture(inga.page, "talk-phone-dark")
    await inga.page.get_by_label("Message to").fill("")
    await inga.page.get_by_role("button", name="Back to the conversations").click()
    await _picture(inga.page, "conversations-phone-dark")
    await _begin(maja)


async def _begin(maja: Person) -> None:
    await maja.page.get_by_role("button", name="New conversation").click()
    for name in ("inga", "nils"):
        await maja.page.get_by_role("checkbox", name=name).check()
    await maja.page.get_by_label("What is the group called?").fill("Sunday buns")
    await _picture(maja.page, "new-conversation")


async def _events(browser: Browser, server: Server) -> None:
    watcher = await someone(browser, server.url, **WIDE)
    kept = {"username": "maja", "password": server.user("maja")["password"]}
    family = server.told["conversations"]["family"]
    async with httpx.AsyncClient(base_url=f"{server.url}/api/v1", trust_env=False) as http:
        token = (await http.post("/sessions", json=kept)).raise_for_status().json()["access_token"]
        http.headers["authorization"] = f"Bearer {token}"
        await watcher.page.goto(f"{server.url}/events#token={token}&topic=message:family:{family}")
        await expect(watcher.page.get_by_role("status")).to_contain_text("message:family")
        for message in (
            {"body": "Hello from curl"},
            {
                "body": "q83vASNFZ4mrze8BI0VniavN7wEjRWeJq83vASNFZ4k",
                "encryption_flag": True,
                "encryption_version": "v1.0.0",
                "key_id": "KEY_FAMILY_v1",
            },
        ):
            body = {"conversation_type": "family", "conversation_id": family, **message}
            (await http.post("/test/broadcast", json=body)).raise_for_status()
    await watcher.page.get_by_label("Filter").fill("new_msg")
    await watcher.page.get_by_role("row").filter(has_text="opaque").wait_for()
    await _picture(watcher.page, "events")


async def _picture(page: Page, name: str) -> None:
    await page.mouse.move(0, 0)
    await page.wait_for_timeout(400)  # fonts and transitions settle
    await page.screenshot(path=PICTURES / f"{name}.png")


if __name__ == "__main__":
    asyncio.run(main())
