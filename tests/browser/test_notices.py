"""An app that is installed, opens without a network, and rings while it is closed (issue 5, items 1 and 4)."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Locator, Worker, expect

from tests.browser.conftest import SignedIn
from tests.browser.household import SEEN_IS_KEPT, Person, Server
from tests.support.push_service import Browser as Subscriber
from tests.support.push_service import PushService, push_service

pytestmark = pytest.mark.timeout(180)
MOST_SHOWN = 2  # the test, and one for each conversation

# Chromium subscribes at its maker's service, which no test asks. What a browser hands out, the tests' own service hands
# out instead; everything else on the way is real.
_SUBSCRIBE = """given => {
    let current = null
    class Subscription {
        options = { applicationServerKey: null }
        toJSON() { return given }
        async unsubscribe() { current = null; return true }
    }
    PushManager.prototype.subscribe = async function () { return current = new Subscription() }
    PushManager.prototype.getSubscription = async function () { return current }
}"""
_SHOWN = """async () => (await (await navigator.serviceWorker.ready).getNotifications())
    .map(({ title, body }) => [title, body])"""
_KEPT = """async () => (await Promise.all((await caches.keys()).map(async name => {
    const shelf = await caches.open(name)
    return (await shelf.keys()).map(({ url }) => new URL(url).pathname)
}))).flat().sort()"""


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Server]:
    """One that may ring at the tests' own push service."""
    server = Server(tmp_path / "demo", settings={"PUSH_PRIVATE_ADDRESSES": "true"}).start()
    yield server
    server.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def service() -> AsyncIterator[PushService]:
    async with push_service() as running:
        yield running


async def test_the_app_can_be_installed_and_opens_without_a_server(demo: Server, of_the_family: SignedIn) -> None:
    maja = await of_the_family("maja")
    tools = await maja.context.new_cdp_session(maja.page)
    manifest = await tools.send("Page.getAppManifest")
    assert manifest["errors"] == []
    icons = json.loads(manifest["data"])["icons"]
    assert {icon["purpose"] for icon in icons} == {"any", "maskable"}
    for icon in icons:
        size = await maja.page.evaluate(
            "async src => { const { width, height } = await createImageBitmap(await (await fetch(src)).blob());"
            " return `${width}x${height}` }",
            icon["src"],
        )
        assert size == icon["sizes"]
    await maja.open("emil")
    await maja.messages().get_by_text("something green").wait_for()
    await maja.until(SEEN_IS_KEPT, [demo.user("maja")["id"], "something green"])
    await _worker(maja)
    kept = await maja.page.evaluate(_KEPT)
    assert "/" in kept
    assert [path for path in kept if path.startswith(("/api", "/socket"))] == []

    demo.stop(signal.SIGKILL)
    await maja.page.goto(demo.url)
    await maja.open("emil")
    await expect(maja.messages().get_by_text("something green")).to_be_visible(timeout=20_000)
    await maja.say("Written without a network")
    await expect(maja.page.get_by_text("Waiting on this device")).to_be_visible()
    assert await maja.page.evaluate(_KEPT) == kept  # nothing that was said


async def test_a_closed_app_rings_and_says_no_more_than_its_person_chose(
    demo: Server, of_the_family: SignedIn, service: PushService
) -> None:
    subscriber = service.browser("majas-phone")
    maja, emil = await of_the_family("maja"), await of_the_family("emil")
    await maja.context.grant_permissions(["notifications"])
    await maja.context.add_init_script(f"({_SUBSCRIBE})({json.dumps(subscriber.subscription())})")
    await maja.page.goto(f"{demo.url}/#/you")
    await maja.page.reload()
    notices = maja.page.get_by_role("region", name="Notices when Famichat is closed")
    await notices.get_by_role("switch", name="Notify me on this device").press("Space")
    await notices.get_by_role("button", name="Send me a test").click()
    await expect(notices.get_by_role("status")).to_contain_text("Sent.")
    await _deliver(maja, await _rung(service, subscriber, 1))
    await _shows(maja, ["Famichat", "This is what a notice looks like."])

    await emil.open("maja")
    conversation = demo.told["conversations"]["direct"]
    for content, expected in (
        ("Only that something is new", ["Famichat", "New message"]),
        ("Who wrote, and where", ["emil", "New message"]),
        ("Also what was written", ["emil", "Are you there?"]),
    ):
        choice = notices.get_by_role("radio", name=content)
        await choice.check()
        await expect(choice).to_be_enabled()
        await _deliver(maja, await _said_while_away(maja, emil, service, subscriber))
        await _shows(maja, expected)
    await _click_on_notice(maja, conversation)
    await expect(maja.page.get_by_role("heading", name="emil")).to_be_visible()
    await expect(maja.messages().get_by_text("Are you there?").last).to_be_visible()


async def test_it_says_what_came_of_a_test_and_of_a_browser_without_a_push_service(
    demo: Server, of_the_family: SignedIn, service: PushService
) -> None:
    maja = await of_the_family("maja")
    notices = await _notices(maja)
    switch = notices.get_by_role("switch", name="Notify me on this device")
    await switch.press("Space")
    await expect(notices.get_by_role("alert")).to_contain_text("This browser forbids notices")
    await maja.context.grant_permissions(["notifications"])
    await switch.press("Space")
    await expect(notices.get_by_role("alert")).to_contain_text("does not answer")
    await expect(switch).not_to_be_checked()

    subscription = service.browser("majas-phone").subscription()
    await maja.page.evaluate(f"({_SUBSCRIBE})({json.dumps(subscription)})")
    maja.faults.clear()  # where nobody's profile is kept, Chromium says in the console that it has no push
    await switch.press("Space")
    service.answers = ["410 Gone"]
    await notices.get_by_role("button", name="Send me a test").click()
    await expect(notices.get_by_role("status")).to_contain_text("your browser has ended its subscription")
    await maja.page.get_by_role("button", name="Sign out", exact=True).click()
    await expect(maja.page.get_by_role("button", name="Sign in")).to_be_visible()
    assert await maja.page.evaluate("localStorage.getItem('famichat.bell')") is None


async def test_quiet_hours_are_kept_in_the_persons_own_time_zone(of_the_family: SignedIn) -> None:
    maja = await of_the_family("maja", timezone_id="Europe/Stockholm")
    notices = await _notices(maja)
    await notices.get_by_role("switch", name="Quiet hours").press("Space")
    await expect(notices).to_contain_text("On the clocks of Europe/Stockholm")
    await notices.get_by_label("Until").fill("06:30")
    await expect(notices.get_by_label("Until")).to_be_enabled()
    await maja.page.reload()
    await expect(notices.get_by_label("From")).to_have_value("22:00")
    await expect(notices.get_by_label("Until")).to_have_value("06:30")


async def _notices(somebody: Person) -> Locator:
    await somebody.page.get_by_role("link", name="You and your settings").click()
    return somebody.page.get_by_role("region", name="Notices when Famichat is closed")


async def _worker(somebody: Person) -> Worker:
    """The service worker, when it is in charge."""
    await somebody.page.evaluate("navigator.serviceWorker.ready")
    return somebody.context.service_workers[0]


async def _rung(service: PushService, subscriber: Subscriber, count: int) -> Any:
    await service.rung(count)
    return subscriber.read(service.requests[-1][2])


async def _said_while_away(maja: Person, emil: Person, service: PushService, subscriber: Subscriber) -> Any:
    count = len(service.requests)
    await maja.page.goto(f"{maja.url}/events")
    await emil.say("Are you there?")
    told = await _rung(service, subscriber, count + 1)
    await maja.page.go_back()
    return told


async def _deliver(somebody: Person, told: Any) -> None:
    """What a push service does: wake the worker, as the browser's own tools do it."""
    tools = await somebody.context.new_cdp_session(somebody.page)
    found: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def registered(event: dict[str, Any]) -> None:
        mine = [each for each in event["registrations"] if each["scopeURL"] == f"{somebody.url}/"]
        if mine and not found.done():
            found.set_result(mine[0]["registrationId"])

    tools.on("ServiceWorker.workerRegistrationUpdated", registered)
    await tools.send("ServiceWorker.enable")
    message = {"origin": somebody.url, "registrationId": await found, "data": json.dumps(told)}
    await tools.send("ServiceWorker.deliverPushMessage", message)
    await tools.detach()


async def _shows(somebody: Person, notice: list[str]) -> None:
    """Wait until a notice is on the screen; the browser says that it woke the worker before that has shown anything."""
    async with asyncio.timeout(30):
        while notice not in (shown := await somebody.page.evaluate(_SHOWN)):  # noqa: ASYNC110 - no event tells it
            await asyncio.sleep(0.05)
    assert len(shown) <= MOST_SHOWN, shown


async def _click_on_notice(somebody: Person, conversation_id: str) -> None:
    worker = await _worker(somebody)
    await worker.evaluate(
        """async tag => {
            const [notification] = await self.registration.getNotifications({ tag })
            self.dispatchEvent(new NotificationEvent("notificationclick", { notification }))
        }""",
        conversation_id,
    )
