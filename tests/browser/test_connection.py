"""The client notices silent network failures, and shows the state of the connection on a line of its own."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from playwright.async_api import expect

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
async def home(tmp_path: Path) -> AsyncIterator[Home]:
    server = Server(tmp_path / "demo")
    async with SilentProxy(urlsplit(server.url).port or 0) as network:
        server.behind(network.url)
        await asyncio.to_thread(server.start)
        yield Home(server, network)
        await asyncio.to_thread(server.stop)


async def test_both_directions_recover_within_five_seconds_after_a_silent_network_change(
    home: Home, person: SignedIn
) -> None:
    maja, emil = await person(home.server.url), await person(home.server.url)
    for who, name, other in ((maja, "maja", "emil"), (emil, "emil", "maja")):
        await who.sign_in(name, home.server.user(name)["password"])
        await who.open(other)
    await expect(maja.page.get_by_text("Online", exact=True)).to_be_visible()

    home.network.fall_silent()
    await maja.say("Can you hear me?")
    waiting = maja.page.get_by_text("Waiting to send")
    await expect(waiting).to_be_visible()  # the connection is dead
    await expect(waiting).to_be_hidden(timeout=RECOVERY_MS)

    await emil.page.evaluate("dispatchEvent(new Event('online'))")
    await expect(emil.messages().get_by_text("Can you hear me?")).to_be_visible(timeout=RECOVERY_MS)


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

    await expect(status).to_be_visible(timeout=2_000)
    line, below = await status.bounding_box(), await header.bounding_box()
    assert line is not None
    assert below is not None
    assert line["y"] == 0
    assert below["y"] >= line["height"]
    await maja.context.set_offline(offline=False)
    await expect(status).to_have_count(0, timeout=RECOVERY_MS)
