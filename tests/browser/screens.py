"""Walks through every main screen, for screenshots and for checks that apply to all screens."""

import io
import math
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final, Self

import httpx
from PIL import Image, ImageDraw
from playwright.async_api import Browser, Page, expect

from tests.browser.household import Person, Server, someone
from tests.support.photos import photo
from tests.support.uploading import say_with, upload

WIDE: Final[dict[str, Any]] = {"viewport": {"width": 1280, "height": 800}}
PHONE: Final[dict[str, Any]] = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
CONVERSATIONS: Final = {
    "direct": "emil",
    "self": "Notes to self",
    "group": "Summer house",
    "family": "The whole family",
}

_CIPHERTEXT: Final = {
    "body": "q83vASNFZ4mrze8BI0VniavN7wEjRWeJq83vASNFZ4k",
    "encryption_flag": True,
    "encryption_version": "v1.0.0",
    "key_id": "KEY_FAMILY_v1",
}


# A subscribed device with non-default preferences.
_CHOSEN: Final = {
    "subscribed": True,
    "content": "sender",
    "quiet_hours": {"from": "22:00", "until": "07:00", "time_zone": "Europe/Stockholm"},
}
_RUNG: Final = "() => { PushManager.prototype.getSubscription = async () => ({}) }"
# As over plain HTTP.
_WITHHELD: Final = """() => {
    Object.defineProperty(window, "isSecureContext", { value: false })
    for (const name of ["PushManager", "PublicKeyCredential"]) Object.defineProperty(window, name, { value: undefined })
    for (const name of ["serviceWorker", "mediaDevices", "clipboard"]) {
        Object.defineProperty(navigator, name, { value: undefined })
    }
}"""
_MORE: Final = ("Did somebody water the tomatoes?", "And the key is under the blue pot.", "I take the cat along.")


@dataclass(frozen=True)
class Scene:
    """The demo's family with an active conversation, and a server without users.

    Attributes:
        inga: the user who sends more messages at times.
        invitation: the link that lets one more user join.
        watcher: an access token of a user unrelated to the others, for the event viewer.
        watched: that person's own conversation.
    """

    demo: Server
    untouched: Server
    inga: Person
    invitation: str
    watcher: str
    watched: str
    _more: Iterator[str] = field(default_factory=lambda: iter(_MORE))

    @classmethod
    async def set(cls, browser: Browser, demo: Server, untouched: Server) -> Self:
        """Send a few messages in the family, as content for the screens."""
        maja, inga = [await _of_the_family(browser, demo, name) for name in ("maja", "inga")]
        for name in CONVERSATIONS.values():
            await maja.open(name)
            await expect(maja.messages().locator("[data-entry]").last).to_be_visible()
            await expect(maja.listed(name)).not_to_contain_text("unread")
        await inga.open(CONVERSATIONS["family"])
        await maja.say("Shall we bring anything?")
        await expect(inga.messages().get_by_text("Shall we bring anything?")).to_be_visible()
        await inga.say("Only yourselves, and an appetite. Emil, please take the big table from the cellar.")
        await maja.say("He says he will. See you on Sunday!")
        await expect(maja.page.get_by_text("Read by inga").last).to_be_visible()
        await maja.context.close()
        await _be_seen(demo)
        async with _as(demo, "maja") as http:
            made = await http.post(f"/families/{demo.user('maja')['family_ids'][0]}/invites", json={})
            await _note(http, demo.reported["conversations"]["self"])
        invitation = f"{demo.url}/invite#{made.raise_for_status().json()['token']}"
        async with _as(demo, "ada") as http:
            watched = (await http.post("/conversations/self", json={})).raise_for_status().json()["id"]
            token = http.headers["authorization"].removeprefix("Bearer ")
        return cls(demo, untouched, await inga.open(CONVERSATIONS["group"]), invitation, token, watched)

    async def screens(self, visitor: Person) -> AsyncIterator[str]:
        """Walk a signed-out visitor through all screens; yield the name of each while it is displayed."""
        async for name in self._doors(visitor):
            yield name
        async for name in self._inside(visitor):
            yield name

    async def _doors(self, visitor: Person) -> AsyncIterator[str]:
        page = visitor.page
        await page.goto(self.untouched.url)
        await page.get_by_label("Setup code").wait_for()
        yield "set-up"
        await page.goto(self.invitation)
        await page.get_by_role("heading", name="Welcome to Sundqvist").wait_for()
        yield "invitation"
        await self._watch(visitor)
        yield "events"
        await page.goto(self.demo.url)
        await page.get_by_role("button", name="Sign in").wait_for()
        yield "sign-in"

    async def _watch(self, visitor: Person) -> None:
        page = visitor.page
        await page.goto(f"{self.demo.url}/events#token={self.watcher}&topic=message:self:{self.watched}")
        await expect(page.get_by_role("status")).to_contain_text("message:self")
        async with _as(self.demo, "ada") as http:
            for message in ({"body": "Hello from curl"}, _CIPHERTEXT):
                body = {"conversation_type": "self", "conversation_id": self.watched, **message}
                (await http.post("/test/broadcast", json=body)).raise_for_status()
        await page.get_by_label("Filter").fill("new_msg")
        await page.get_by_role("row").filter(has_text="opaque").wait_for()

    async def _inside(self, visitor: Person) -> AsyncIterator[str]:
        page = visitor.page
        await self.inga.say(next(self._more))
        await visitor.sign_in("maja", self.demo.user("maja")["password"])
        await expect(visitor.listed(CONVERSATIONS["group"])).to_contain_text("1 unread")
        yield "conversations"
        await page.goto(f"{self.demo.url}/#/search?q=e")
        await page.get_by_role("search").locator("mark").first.wait_for()
        yield "search"
        for kind, name in CONVERSATIONS.items():
            await page.goto(f"{self.demo.url}/#/c/{self.demo.reported['conversations'][kind]}")
            await page.get_by_role("heading", name=name).wait_for()
            await expect(visitor.messages().locator("[data-entry]").last).to_be_visible()
            yield kind
        async for name in self._over_messages(visitor):
            yield name
        await page.goto(f"{self.demo.url}/#/c/{self.demo.reported['conversations']['group']}")
        await page.get_by_role("button", name="Chat info").click()
        yield "about-a-group"
        await page.get_by_role("dialog").get_by_role("button", name="Close").click()
        async for name in self._oneself(visitor):
            yield name
        await page.goto(f"{self.demo.url}/#/settings")
        await page.get_by_role("link", name="Manage Sundqvist").click()
        await page.get_by_text("emil's devices").click()
        await page.get_by_role("button", name="Sign out Emil's phone").wait_for()
        await expect(page.get_by_text("The whole server")).to_be_visible()
        yield "family-care"
        await page.get_by_role("button", name="Invite someone to Sundqvist").click()
        await page.get_by_role("button", name="For an adult").wait_for()
        yield "invite-whom"
        await page.get_by_role("button", name="For an adult").click()
        await page.get_by_role("img", name="QR code for this link").wait_for()
        yield "invite"
        await page.keyboard.press("Escape")
        await page.goto(f"{self.demo.url}/#")
        await page.get_by_role("button", name="New chat").click()
        for name in ("inga", "nils"):
            await page.get_by_role("checkbox", name=name).check()
        await page.get_by_label("What is the group called?").fill("Sunday buns")
        yield "new-conversation"
        await page.get_by_role("dialog").get_by_role("button", name="Close").click()

    async def _over_messages(self, visitor: Person) -> AsyncIterator[str]:
        """The dialogs and menus of a conversation."""
        page, sent = visitor.page, visitor.messages()
        await page.goto(f"{self.demo.url}/#/c/{self.demo.reported['conversations']['self']}")
        over = page.get_by_role("dialog")
        for name, opener, what in (
            ("message-menu", "Message options", over.get_by_role("button", name="React with").first),
            ("said-before", "edited", over.get_by_text("The tin is at Inga's")),
            ("photo", "Photo: tin.png", over.get_by_role("img", name="Photo: tin.png")),
        ):
            await sent.get_by_role("button", name=opener).first.press("Enter")
            await what.wait_for()
            yield name
            if name == "message-menu":
                await over.get_by_role("button", name="Forward", exact=True).click()
                await over.get_by_label("Search chats").wait_for()
                yield "forward"
            await page.keyboard.press("Escape")
            await over.wait_for(state="detached")  # the viewer moves the photo back first
        await page.get_by_role("button", name="Message options").first.press("Enter")
        await over.get_by_role("button", name="React with another emoji").click()
        await over.get_by_role("button", name="grinning face", exact=True).wait_for()
        yield "emoji"
        await page.keyboard.press("Escape")
        for mark in ("Star", "Pin"):
            await self._choose(visitor, mark)
        await page.get_by_role("region", name="Pinned messages").wait_for()
        yield "pinned"
        await page.get_by_role("button", name="Chat info").click()
        await over.get_by_role("button", name="Starred messages").click()
        await over.get_by_role("listitem").first.wait_for()
        yield "starred"
        await page.keyboard.press("Escape")
        await page.keyboard.press("Control+/")
        await over.get_by_text("edit your last message").wait_for()
        yield "shortcuts"
        await page.keyboard.press("Escape")
        for mark in ("Remove star", "Unpin"):
            await self._choose(visitor, mark)
        await page.goto(f"{self.demo.url}/#/c/{self.demo.reported['conversations']['family']}")
        await sent.get_by_role("button", name=re.compile("^(Read|Delivered|Sent)")).last.press("Enter")
        await page.get_by_role("dialog", name="Message info").wait_for()
        yield "arrivals"
        await page.keyboard.press("Escape")

    async def _choose(self, visitor: Person, item: str) -> None:
        """Choose an item in the menu of the first message."""
        over = visitor.page.get_by_role("dialog")
        await visitor.messages().get_by_role("button", name="Message options").first.press("Enter")
        await over.get_by_role("button", name=item, exact=True).click()
        await over.wait_for(state="detached")

    async def _oneself(self, visitor: Person) -> AsyncIterator[str]:
        """The settings: the list and each page, notifications in use, and a browser with missing features."""
        page = visitor.page
        await page.goto(f"{self.demo.url}/#/settings")
        await expect(page.get_by_role("heading", name="maja")).to_be_visible()
        yield "settings"
        for name in ("privacy", "appearance", "devices", "storage", "about"):  # the others follow, in use
            await self._to_settings(visitor, name)
            yield f"settings-{name}"
        await page.goto(f"{self.demo.url}/#/p/{self.demo.user('emil')['id']}")
        await page.get_by_role("button", name="Block emil").wait_for()
        yield "person"
        await self._to_settings(visitor, "account")
        await page.get_by_role("button", name="Delete my account").click()
        yield "settings-account-in-use"
        await page.evaluate(_RUNG)
        await page.route("**/api/v1/me/push", lambda route: route.fulfill(json=_CHOSEN))
        await self._to_settings(visitor, "notifications")
        await page.get_by_role("button", name="Send a test notification").wait_for()
        yield "settings-notifications-in-use"
        await page.unroute_all()
        await page.evaluate(_WITHHELD)
        await self._to_settings(visitor, "help")
        await page.get_by_text("http://localhost:").scroll_into_view_if_needed()
        yield "withheld"
        await page.reload()

    async def _to_settings(self, visitor: Person, name: str) -> None:
        await visitor.page.goto(f"{self.demo.url}/#/settings/{name}")
        await expect(visitor.page.get_by_role("heading", name=name.capitalize(), exact=True).first).to_be_visible()


ENCRYPTED: Final = {f"ENCRYPTION_POLICY_{kind}": "required" for kind in ("SELF", "DIRECT", "GROUP")}
"""Settings of a server that requires encryption except in the family."""


async def encrypted_screens(
    demo: Server, visitor: Callable[[], Awaitable[Person]], emil: Person
) -> AsyncIterator[tuple[str, Page]]:
    """Walk through an encrypted chat; yield the name and the page of each screen while it is displayed.

    Args:
        demo: started with `ENCRYPTED`. Maja has not signed in yet: only the first device of a user can encrypt.
        visitor: opens another browser of the visitor.
        emil: the one who writes.
    """
    password = demo.user("maja")["password"]
    maja = await (await visitor()).sign_in("maja", password)
    await emil.sign_in("emil", demo.user("emil")["password"])
    for each, other in ((maja, "emil"), (emil, "maja")):
        await each.page.evaluate(SIGN_OUT_OTHERS)
        await each.open(other)
    await expect(maja.page.get_by_text(_READERS)).to_be_visible()
    await emil.say("I hid the present under the stairs.")
    await maja.say("She never looks there. And the cake?")
    await expect(emil.messages().get_by_text("And the cake?")).to_be_visible()
    await emil.say("Inga bakes it on Friday.")
    await expect(maja.messages().get_by_text("on Friday")).to_be_visible()
    yield "encrypted", maja.page
    await emil.page.evaluate(_SEND_UNREADABLE, demo.reported["conversations"]["direct"])
    await expect(maja.messages().get_by_text("This message can't be read on this device.")).to_be_visible()
    yield "encrypted-unreadable", maja.page
    phone = await (await visitor()).sign_in("maja", password)
    await phone.open("emil")
    await expect(phone.page.get_by_text("you can only use this chat on the device where you first")).to_be_visible()
    yield "encryption-pending", phone.page


# The demo's users have devices that never come back, and would be waited for.
SIGN_OUT_OTHERS: Final = """async () => {
    const { access_token, device_id } = JSON.parse(localStorage.getItem("famichat.session"))
    const ask = (method, path) =>
        fetch(`/api/v1${path}`, { method, headers: { authorization: `Bearer ${access_token}` } })
    const { devices } = await (await ask("GET", "/devices")).json()
    const others = devices.map(({ id }) => id).filter(id => id !== device_id)
    await Promise.all(others.map(id => ask("DELETE", `/devices/${id}`)))
}"""

# Sends what no device can decrypt, as a faulty client would.
_SEND_UNREADABLE: Final = """async id => {
    const { access_token, device_id } = JSON.parse(localStorage.getItem("famichat.session"))
    const headers = { authorization: `Bearer ${access_token}`, "content-type": "application/json" }
    const { generation, epoch } = await (await fetch(`/api/v1/conversations/${id}/mls`, { headers })).json()
    const body = {
        body: "q83vASNFZ4mrze8BI0VniavN7wEjRWeJq83vASNFZ4k", client_id: "00112233445566778899aabbccddeeff",
        encryption_flag: true, encryption_version: "famichat.1", protocol: "mls10",
        key_id: `${generation}:${epoch}`, epoch, sender_device_id: device_id,
    }
    const send = { method: "POST", headers, body: JSON.stringify(body) }
    const reply = await fetch(`/api/v1/conversations/${id}/messages`, send)
    if (!reply.ok) throw new Error(await reply.text())
}"""
_READERS: Final = re.compile("^Only people in this chat can read")


async def _note(http: httpx.AsyncClient, conversation: str) -> None:
    """Send a message, edit it, and send a photo."""
    messages = f"/conversations/{conversation}/messages"
    made = await http.post(messages, json={"body": "The tin is at Inga's"})
    path = f"{messages}/{made.raise_for_status().json()['message_id']}"
    (await http.patch(path, json={"body": "The tin is at Nils's"})).raise_for_status()
    photographed = await upload(http, conversation, photo("image/png", (320, 240)), name="tin.png")
    await say_with(http, conversation, photographed["id"], message_type="image")


async def _be_seen(demo: Server) -> None:
    """Set a display name and an avatar for Inga, and a colour for Maja."""
    async with _as(demo, "inga") as http:
        (await http.patch("/me", json={"display_name": "Grandma Inga 🌻"})).raise_for_status()
        (await http.put("/me/picture", content=_sunflower())).raise_for_status()
    async with _as(demo, "maja") as http:
        (await http.patch("/me", json={"color": "pine"})).raise_for_status()


def _sunflower() -> bytes:
    image = Image.new("RGB", (256, 256), "#7fae9a")
    pen = ImageDraw.Draw(image)
    for turn in range(12):
        x, y = (128 + 70 * side(turn * math.pi / 6) for side in (math.cos, math.sin))
        pen.ellipse((x - 32, y - 32, x + 32, y + 32), fill="#f2b632")
    pen.ellipse((72, 72, 184, 184), fill="#6b4226")
    data = io.BytesIO()
    image.save(data, "PNG")
    return data.getvalue()


async def _of_the_family(browser: Browser, demo: Server, name: str) -> Person:
    return await (await someone(browser, demo.url)).sign_in(name, demo.user(name)["password"])


@asynccontextmanager
async def _as(demo: Server, name: str) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=f"{demo.url}/api/v1", trust_env=False, timeout=30) as http:
        who = {"username": name, "password": demo.user(name)["password"]}
        token = (await http.post("/sessions", json=who)).raise_for_status().json()["access_token"]
        http.headers["authorization"] = f"Bearer {token}"
        yield http
