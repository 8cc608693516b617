"""The first load over a slow mobile network: requests and bytes until a new user can sign in, and is signed in."""

import logging
import re
import time
from dataclasses import dataclass, field
from typing import Any, Final

from playwright.async_api import CDPSession, expect

from tests.browser.conftest import SignedIn
from tests.browser.household import Person, Server

_log = logging.getLogger(__name__)

# Slow 4G, as the developer tools of Chromium define it.
_SLOW_4G: Final = {"offline": False, "latency": 150, "downloadThroughput": 200_000, "uploadThroughput": 94_000}
_CPU_SLOWDOWN: Final = 4
MOST_BYTES: Final = 140_000  # the 130 kB of the build, headers, the logo, and the first request
MOST_REQUESTS: Final = 10  # each waits at least 150 ms
MOST_BYTES_SIGNED_IN: Final = 60_000  # data only: no script that the first screen does not need
MOST_REQUESTS_SIGNED_IN: Final = 12


@dataclass
class Traffic:
    """What a page has loaded.

    Attributes:
        paths: the path of each request, by its id.
        size: bytes on the wire: responses with their headers, compressed.
    """

    paths: dict[str, str] = field(default_factory=dict)
    size: int = 0

    def watch(self, cdp: CDPSession) -> None:
        cdp.on("Network.requestWillBeSent", self._sent)
        cdp.on("Network.loadingFinished", self._finished)

    def _sent(self, event: dict[str, Any]) -> None:
        self.paths[event["requestId"]] = re.sub(r"^https?://[^/]+", "", event["request"]["url"])

    def _finished(self, event: dict[str, Any]) -> None:
        self.size += event["encodedDataLength"]


async def test_the_first_screen_takes_few_requests_and_bytes_over_slow_4g(demo: Server, person: SignedIn) -> None:
    maja = await person(demo.url)
    traffic = await _slow(maja)
    begun = time.monotonic()
    await maja.page.goto(demo.url)
    await expect(maja.page.get_by_label("Name or email")).to_be_editable()
    usable = time.monotonic() - begun
    await maja.page.evaluate("document.fonts.ready")
    first_paths, first_size = set(traffic.paths.values()), traffic.size
    _log.info("sign-in usable after %.1f s: %d bytes, %s", usable, first_size, sorted(first_paths))

    begun = time.monotonic()
    await maja.sign_in_here("maja", demo.user("maja")["password"])
    await expect(maja.listed("emil")).to_be_visible()
    later_paths = set(traffic.paths.values()) - first_paths
    _log.info("chats after %.1f s: %d bytes, %s", time.monotonic() - begun, traffic.size - first_size, later_paths)

    assert first_size < MOST_BYTES
    assert len(first_paths) <= MOST_REQUESTS
    assert traffic.size - first_size < MOST_BYTES_SIGNED_IN
    assert len(later_paths) <= MOST_REQUESTS_SIGNED_IN


async def _slow(who: Person) -> Traffic:
    cdp = await who.context.new_cdp_session(who.page)
    await cdp.send("Network.enable")
    await cdp.send("Network.emulateNetworkConditions", _SLOW_4G)
    await cdp.send("Emulation.setCPUThrottlingRate", {"rate": _CPU_SLOWDOWN})
    traffic = Traffic()
    traffic.watch(cdp)
    return traffic
