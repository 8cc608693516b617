"""The client notices silent network failures, and shows the state of the connection on a line of its own."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from playwright.async_api import Page, WebSocket, expect

from tests.browser.conftest import SignedIn
from tests.browser.household import Server
from tests.support.silent_proxy import SilentProxy

pytestmark = pytest.mark.timeout(120)
PHONE: Final = {"viewport": {"width": 390, "height": 780}, "has_touch": True}
RECOVERY_MS: Final = 5_000


@dataclass
class Home:
    """A server that its users reach through a network."""

    server: Server
    network: SilentProxy


@pytest_asyncio.fixture(loop_scope="session")
async def home(demo_dir: Path) -> AsyncIterator[Home]:
    server = Server(demo_dir)
    async with SilentProxy(urlsplit(server.url).port or 0) as network:
        server.behind(network.url)
        await asyncio.to_thread(server.start)
        yield Home(server, network)
        await asyncio.to_thread(server.stop)


async def test_both_directions_recover_within_five_seconds_after_a_silent_network_change(
    home: Home, person: SignedIn
) -> None:
    maja, emil = await person(home.server.url), await person(home.server.url)
    sockets: list[WebSocket] = []
    # Playwright sets an attribute of the function; `list.append` has none.
    maja.page.on("websocket", lambda socket: sockets.append(socket))  # noqa: PLW0108
    for who, name, other in ((maja, "maja", "emil"), (emil, "emil", "maja")):
        await who.sign_in(name, home.server.user(name)["password"])
        await who.open(other)
    await expect(maja.page.get_by_text("Online", exact=True)).to_be_visible()
    for who in (maja, emil):
        await _stop_the_clock(who.page)

    home.network.fall_silent()
    async with sockets[-1].expect_event("framesent", lambda frame: "Can you hear me?" in str(frame)):
        await maja.say("Can you hear me?")
    waiting = maja.page.get_by_text("Waiting to send")
    await expect(waiting).to_be_visible()  # the connection is dead
    await _reconnects(maja.page)
    await expect(waiting).to_be_hidden()

    await emil.page.evaluate("dispatchEvent(new Event('online'))")
    await _reconnects(emil.page)
    await expect(emil.messages().get_by_text("Can you hear me?")).to_be_visible()


async def _stop_the_clock(page: Page) -> None:
    """Stop the timers that the page starts from now on."""
    await page.clock.install()
    await page.clock.pause_at(datetime.now(UTC) + timedelta(minutes=1))


async def _reconnects(page: Page) -> None:
    """Check that the page opens a new connection within `RECOVERY_MS` of its own time, then let its clock run."""
    async with page.expect_websocket():
        await page.clock.run_for(RECOVERY_MS)
    await page.clock.resume()


async def test_the_state_of_the_connection_has_a_line_of_its_own(of_the_family: SignedIn) -> None:
    maja = await of_the_family("maja", **PHONE)
    await maja.page.evaluate("navigator.serviceWorker.ready")
    await maja.open("emil")
    header, status = (
        maja.page.locator("header:visible").first,
        maja.page.get_by_role("status").filter(has_text="offline"),
    )

    await maja.context.set_offline(offline=True)
    await maja.page.reload()

    await expect(status).to_be_visible()
    line, below = await status.bounding_box(), await header.bounding_box()
    assert line is not None
    assert below is not None
    assert line["y"] == 0
    assert below["y"] >= line["height"]
    await maja.context.set_offline(offline=False)
    await expect(status).to_have_count(0)
