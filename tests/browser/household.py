"""A real server with a family, and users at real browsers."""

import asyncio
import json
import os
import re
import signal
import socket
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Self

from playwright.async_api import Browser, BrowserContext, Locator, Page, Request, async_playwright

from tests.support import leaks, warm

ROOT: Final = Path(__file__).parents[2]
CHROMIUM: Final = "/usr/bin/chromium"
# How long a test waits for what it expects, also on a busy machine.
PATIENCE_MS: Final = 30_000
INSECURE_HOST: Final = "famichat.test"
# Options of a browser without automatic prompts and background requests.
QUIET: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # To a page on this host, a browser is on plain HTTP: it is not localhost.
    f"--host-resolver-rules=MAP {INSECURE_HOST} 127.0.0.1",
    # A fake microphone that beeps, with permission granted.
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
)


# The rendered messages, each as entry id and text.
_DRAWN: Final = """region => Array.from(region.querySelectorAll("[data-entry]"),
    item => [item.dataset.entry, item.querySelector("p").innerText])"""
# Scrolls to the start or the end of the rendered part; the next part is rendered a frame later.
_TO_AN_EDGE: Final = """(region, up) => new Promise(done => {
    region.scrollTop = up ? 0 : region.scrollHeight
    requestAnimationFrame(() => requestAnimationFrame(done))
})"""
_READING_SECONDS: Final = 90
# The browser properties of a tablet.
TABLET: Final = MappingProxyType(
    {
        "user_agent": "Mozilla/5.0 (Linux; Android 15; Pixel Tablet) AppleWebKit/537.36 Chrome/143.0.0.0 Safari/537.36",
        "viewport": {"width": 820, "height": 1180},
        "screen": {"width": 820, "height": 1180},
        "has_touch": True,
    }
)

AXE: Final = ROOT / "web/node_modules/axe-core/axe.min.js"
ASK_AXE: Final = """async only => (await axe.run(document, {resultTypes: ["violations"], ...only})).violations
    .filter(({impact}) => ["serious", "critical"].includes(impact))
    .map(({id, nodes}) => [id, ...nodes.map(({target, failureSummary}) => `${target}: ${failureSummary}`)])"""

# Whether the read position is stored: writes are delayed and combined.
SEEN_IS_KEPT: Final = """async ([user, words]) => {
    const asked = indexedDB.open(`famichat.${user}`)
    await new Promise(done => (asked.onsuccess = done))
    const found = asked.result.transaction("timelines").objectStore("timelines").getAll()
    await new Promise(done => (found.onsuccess = done))
    asked.result.close()
    return found.result.some(({ messages }) => messages.some(({ body }) => body?.includes(words)))
}"""

# Whether this many pending attachments are stored with their content.
FILES_ARE_KEPT: Final = """async ([user, many]) => {
    const all = async (name, store, how) => {
        const asked = indexedDB.open(name)
        await new Promise(done => (asked.onsuccess = done))
        const found = asked.result.transaction(store).objectStore(store)[how]()
        await new Promise(done => (found.onsuccess = done))
        asked.result.close()
        return found.result
    }
    const unsent = await all(`famichat.${user}`, "unsent", "getAll")
    const bytes = new Set(await all(`famichat.${user}.blobs`, "blobs", "getAllKeys"))
    return unsent.flatMap(({ enclosures }) => enclosures ?? []).filter(({ key }) => bytes.has(key)).length === many
}"""


class Server:
    """`famichat demo` or `famichat serve`, with a port and data that persist across restarts.

    Args:
        data_dir: where the data is.
        task: `demo` or `serve`.
        name: host name in the URL; passkeys require a name instead of an IP address.
        settings: more `FAMICHAT_*` variables, without the prefix.
    """

    def __init__(
        self,
        data_dir: Path,
        task: str = "demo",
        *,
        name: str = "127.0.0.1",
        settings: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.data_dir = data_dir
        self.log = data_dir.with_suffix(".log")
        self.reported: dict[str, Any] = {}
        self._port = _free_port()
        self.url = f"http://{name}:{self._port}"
        self._settings = {
            "FAMICHAT_RATE_LIMITS": "off",
            "FAMICHAT_LOG_LEVEL": "INFO",
            "FAMICHAT_PUBLIC_URL": self.url,
            **{f"FAMICHAT_{name}": value for name, value in settings.items()},
        }
        self._command = ("famichat", task, "--data-dir", str(data_dir), "--json", "--port", str(self._port))
        self._process: warm.Process | None = None

    def behind(self, url: str) -> None:
        """Let the users reach it at the address of a proxy. Call before `start`."""
        self.url = self._settings["FAMICHAT_PUBLIC_URL"] = url

    def also_at(self, host: str) -> None:
        """Let browsers connect at another host, too. Call before `start`."""
        self.other_url = self._settings["FAMICHAT_OTHER_URLS"] = f"http://{host}:{self._port}"

    @property
    def process_id(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> Self:
        """Start it, and wait until it says that it is ready."""
        environment = {**os.environ, **self._settings}
        output, stdout = os.pipe()
        with self.log.open("ab") as log:
            self._process = warm.start(*self._command, environment=environment, stdout=stdout, stderr=log)
        os.close(stdout)
        self._output = os.fdopen(output, encoding="utf-8")  # open until it ends: it may write more
        line = self._output.readline()
        assert line, self.log.read_text()
        self.reported = json.loads(line)
        return self

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """Stop it. Idempotent."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(how)
        process.wait(timeout=30)
        self._output.close()
        leaks.look(self.logged(), "a server's log")

    def logged(self) -> str:
        return self.log.read_text()

    def user(self, username: str) -> dict[str, Any]:
        found: dict[str, Any] = next(user for user in self.reported["users"] if user["username"] == username)
        return found


@dataclass
class Person:
    """A user at a browser; records errors and requests to other origins.

    Attributes:
        expected_faults: errors that the test causes, which the browser may also record after its last assertion.
    """

    context: BrowserContext
    page: Page
    url: str
    faults: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    expected_faults: re.Pattern[str] | None = None

    def unexpected_faults(self) -> list[str]:
        """Return the recorded errors without the expected ones."""
        expected = self.expected_faults
        return [fault for fault in self.faults if expected is None or not expected.search(fault)]

    def observe(self, page: Page) -> Page:
        page.on("pageerror", lambda error: self.faults.append(f"{error}"))
        page.on("console", lambda sent: self._noticed(sent.type, sent.text))
        page.on("request", self._requested)
        return page

    async def another_tab(self) -> Page:
        return self.observe(await self.context.new_page())

    async def until(self, question: str, asked: Any = None) -> None:
        """Wait until an asynchronous JavaScript predicate is true.

        Playwright's `wait_for_function` treats the promise itself as a true result.
        """
        async with asyncio.timeout(PATIENCE_MS / 1000):
            while not await self.page.evaluate(question, asked):  # noqa: ASYNC110 - IndexedDB has no event for other pages
                await asyncio.sleep(0.1)

    async def sign_in(self, username: str, password: str) -> Self:
        await self.page.goto(self.url)
        return await self.sign_in_here(username, password)

    async def sign_in_here(self, username: str, password: str) -> Self:
        """Sign in on the page that is open."""
        await self.page.get_by_label("Name or email").fill(username)
        await self.page.get_by_label("Password", exact=True).fill(password)
        await self.page.get_by_role("button", name="Sign in").click()
        await self.page.get_by_role("heading", name="Chats").wait_for()
        return self

    async def open(self, conversation: str) -> Self:
        await self.listed(conversation).click()
        await self.page.get_by_role("heading", name=conversation).wait_for()
        return self

    def listed(self, conversation: str, page: Page | None = None) -> Locator:
        """Return the list entry of a conversation; it starts with the name."""
        entries = (page or self.page).get_by_role("navigation")
        return entries.get_by_role("link", name=re.compile(f"^{re.escape(conversation)} "))

    async def say(self, text: str) -> None:
        box = self.page.get_by_label("Message to")
        await box.fill(text)
        await box.press("Control+Enter")  # On a touch screen, Enter alone begins a new line.

    def messages(self, page: Page | None = None) -> Locator:
        return (page or self.page).get_by_role("region", name="Messages")

    async def read_through(self, *, up: bool, until: Locator) -> list[str]:
        """Scroll up or down until an element is visible; return the messages passed, in order."""
        seen: dict[str, str] = {}
        deadline = time.monotonic() + _READING_SECONDS
        while True:
            drawn = await self.messages().evaluate(_DRAWN)
            seen = {**dict(drawn), **seen} if up else {**seen, **dict(drawn)}
            if await until.count() and await until.is_visible():
                return list(seen.values())
            assert time.monotonic() < deadline, list(seen.values())[:3]
            await self.messages().evaluate(_TO_AN_EDGE, up)

    def _noticed(self, kind: str, text: str) -> None:
        # A server that is being restarted answers nothing, or stops in the middle; a browser calls that an error. So it
        # calls a network that is away, and a page that is left, or closed, while it still connects.
        if kind in {"error", "warning"} and not re.search(
            r"ERR_CONNECTION_(REFUSED|RESET)|ERR_(CONTENT_LENGTH_MISMATCH|EMPTY_RESPONSE|INTERNET_DISCONNECTED)"
            r"|WebSocket is closed before the connection is established",
            text,
        ):
            self.faults.append(text)

    def _requested(self, request: Request) -> None:
        self.requests.append(request.url)
        if not request.url.startswith((self.url, "data:", "blob:")):
            self.faults.append(f"asked {request.url}")


@asynccontextmanager
async def a_browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        try:
            yield browser
        finally:
            await browser.close()


async def someone(browser: Browser, url: str, **wishes: Any) -> Person:
    """Open a separate browser context for a user."""
    context = await browser.new_context(**{"locale": "en-GB", **wishes})
    context.set_default_timeout(PATIENCE_MS)
    person = Person(context, await context.new_page(), url)
    person.observe(person.page)
    return person


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
