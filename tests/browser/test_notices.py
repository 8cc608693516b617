"""The installed app opens offline and shows notifications while closed (issue 5, items 1 and 4)."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Locator, Page, Worker, expect

from tests.browser.conftest import SignedIn
from tests.browser.household import SEEN_IS_KEPT, Person, Server
from tests.support.push_service import Browser as Subscriber
from tests.support.push_service import PushService, push_service

pytestmark = pytest.mark.timeout(180)
MOST_SHOWN = 2  # the test, and one for each conversation

# Chromium subscribes at its maker's service, which no test asks. What a browser hands out, the tests' own service hands
# out instead, one after the other; everything else on the way is real.
_SUBSCRIBE = """given => {
    class Subscription {
        options = { applicationServerKey: null }
        constructor(which) { this.which = which }
        toJSON() { return given[this.which % given.length] }
        async unsubscribe() { sessionStorage.removeItem("subscribed"); return true }
    }
    const current = () => {
        const which = sessionStorage.getItem("subscribed")
        return which === null ? null : new Subscription(Number(which))
    }
    PushManager.prototype.getSubscription = async () => current()
    PushManager.prototype.subscribe = async () => {
        const which = Number(sessionStorage.getItem("given") ?? 0)
        sessionStorage.setItem("given", which + 1)
        sessionStorage.setItem("subscribed", which)
        return current()
    }
}"""
_END_IT = "sessionStorage.removeItem('subscribed')"
_CHANGED = "self.dispatchEvent(new ExtendableEvent('pushsubscriptionchange'))"

# Chromium under test believes that every page is visible and focused.
_TO_THE_BACKGROUND = """() => {
    Object.defineProperty(document, "visibilityState", { value: "hidden" })
    Object.defineProperty(document, "hidden", { value: true })
    document.hasFocus = () => false
    document.dispatchEvent(new Event("visibilitychange", { bubbles: true }))
}"""
# How many sounds each tab has played.
_LISTEN = """() => {
    window.notes = 0
    const { start } = OscillatorNode.prototype
    OscillatorNode.prototype.start = function (when) { window.notes += 1; return start.call(this, when) }
}"""
_SHOWN = """async () => (await (await navigator.serviceWorker.ready).getNotifications())
    .map(({ title, body }) => [title, body])"""
_KEPT = """async () => (await Promise.all((await caches.keys()).map(async name => {
    const shelf = await caches.open(name)
    return (await shelf.keys()).map(({ url }) => new URL(url).pathname)
}))).flat().sort()"""


@pytest.fixture
def demo(demo_dir: Path) -> Iterator[Server]:
    """A server that may send to the push service of the tests, under another name."""
    settings = {"PUSH_PRIVATE_ADDRESSES": "true", "APP_NAME": "Sundqvists", "APP_COLOR": "#1b6ca8"}
    server = Server(demo_dir, settings=settings).start()
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
    await expect(maja.messages().get_by_text("something green")).to_be_visible()
    await maja.say("Written without a network")
    await expect(maja.page.get_by_text("Waiting to send")).to_be_visible()
    assert await maja.page.evaluate(_KEPT) == kept  # no message text


async def test_a_closed_app_shows_notifications_with_the_chosen_detail_only(
    demo: Server, of_the_family: SignedIn, service: PushService
) -> None:
    subscriber = service.browser("majas-phone")
    maja, emil = await of_the_family("maja"), await of_the_family("emil")
    await maja.context.grant_permissions(["notifications"])
    notices = await _subscribe(maja, subscriber)
    await notices.get_by_role("button", name="Send a test notification").click()
    await expect(notices.get_by_role("status")).to_contain_text("Sent.")
    await _deliver(maja, await _rung(service, subscriber, 1))
    await _shows(maja, ["Sundqvists", "This is what a notification looks like."])

    await emil.open("maja")
    conversation = demo.reported["conversations"]["direct"]
    for content, expected in (
        ("Only “New message”", ["Sundqvists", "New message"]),
        ("Name and chat", ["emil", "New message"]),
        ("Name, chat and message", ["emil", "Are you there?"]),
    ):
        choice = notices.get_by_role("radio", name=content)
        await choice.check()
        await expect(choice).to_be_enabled()
        await _deliver(maja, await _said_while_away(maja, emil, service, subscriber))
        await _shows(maja, expected)
    await _click_on_notice(maja, conversation)
    await expect(maja.page.get_by_role("heading", name="emil")).to_be_visible()
    await expect(maja.messages().get_by_text("Are you there?").last).to_be_visible()


async def test_a_background_tab_shows_its_own_notification_until_the_chat_is_read_on_another_device(
    demo: Server, of_the_family: SignedIn, service: PushService
) -> None:
    maja, emil, tablet = await of_the_family("maja"), await of_the_family("emil"), await of_the_family("maja")
    await _subscribe(maja, service.browser("majas-laptop"))
    await maja.page.evaluate(_TO_THE_BACKGROUND)
    await emil.open("maja")
    await emil.say("Are you there?")
    await _shows(maja, ["Sundqvists", "New message"])

    await tablet.open("emil")
    await expect(tablet.messages().get_by_text("Are you there?").last).to_be_visible()
    async with asyncio.timeout(20):
        while await maja.page.evaluate(_SHOWN):  # noqa: ASYNC110 - there is no event for it
            await asyncio.sleep(0.05)
    assert service.requests == [], "the tab has shown it, so nothing is pushed"


async def test_the_result_of_a_test_notification_and_a_missing_push_service_are_shown(
    demo: Server, of_the_family: SignedIn, service: PushService
) -> None:
    maja = await of_the_family("maja")
    notices = await _notices(maja)
    switch = notices.get_by_role("switch", name="Notifications on this device")
    await switch.press("Space")
    await expect(notices.get_by_role("alert")).to_contain_text("Notifications are blocked for this site")
    await maja.context.grant_permissions(["notifications"])
    await switch.press("Space")
    await expect(notices.get_by_role("alert")).to_contain_text("doesn't respond")
    await expect(switch).not_to_be_checked()

    subscription = service.browser("majas-phone").subscription()
    await maja.page.evaluate(f"({_SUBSCRIBE})({json.dumps([subscription])})")
    maja.faults.clear()  # Chromium without a profile logs that push is unavailable
    await switch.press("Space")
    service.answers = ["410 Gone"]
    await notices.get_by_role("button", name="Send a test notification").click()
    await expect(notices.get_by_role("status")).to_contain_text("your browser ended its subscription")
    await maja.page.goto(f"{demo.url}/#/settings/account")
    await maja.page.get_by_role("button", name="Sign out", exact=True).click()
    await expect(maja.page.get_by_role("button", name="Sign in")).to_be_visible()
    assert await maja.page.evaluate("localStorage.getItem('famichat.bell')") is None


async def test_a_subscription_that_ended_is_renewed_by_a_page_that_is_open_or_the_next_one(
    demo: Server, of_the_family: SignedIn, service: PushService
) -> None:
    subscribers = [service.browser(f"majas-phone-{number}") for number in range(4)]
    maja = await of_the_family("maja")
    notices = await _subscribe(maja, *subscribers)
    worker = await _worker(maja)

    await maja.page.evaluate(_END_IT)
    async with _subscribed_anew(maja.page):
        await worker.evaluate(_CHANGED)
    await _rings(notices, service, subscribers[1])

    await maja.page.goto(f"{demo.url}/events")
    await maja.page.evaluate(_END_IT)
    await worker.evaluate(_CHANGED)
    await _shows(maja, ["Sundqvists", "Open Sundqvists to keep getting notifications on this device."])
    async with _subscribed_anew(maja.page):
        await maja.page.goto(demo.url)
    await _rings(await _notices(maja), service, subscribers[2])

    service.answers = ["410 Gone"]  # the server has deleted the subscription, and the browser has not
    await notices.get_by_role("button", name="Send a test notification").click()
    await expect(notices.get_by_role("status")).to_contain_text("your browser ended its subscription")
    async with _subscribed_anew(maja.page):
        await maja.page.goto(demo.url)
    await _rings(await _notices(maja), service, subscribers[3])


async def test_a_message_sounds_in_one_tab_and_in_none_where_it_is_read(of_the_family: SignedIn) -> None:
    maja, emil = await of_the_family("maja"), await of_the_family("emil")
    await maja.context.add_init_script(f"({_LISTEN})(); localStorage.setItem('famichat.sound', 'on')")
    tabs = [maja.page, await maja.another_tab(), await maja.another_tab()]
    for tab in tabs:
        await tab.goto(maja.url)
        await tab.reload()
        await maja.listed("Notes to self", tab).click()  # browsers block sound before a user gesture
        await expect(tab.get_by_label("Message to")).to_be_visible()
    await emil.open("maja")
    await emil.say("one")
    await _notes(tabs, 2)
    await emil.say("two")
    await _notes(tabs, 4)

    await maja.listed("emil", tabs[2]).click()
    await expect(maja.messages(tabs[2]).get_by_text("two", exact=True)).to_be_visible()
    await emil.say("three")
    await expect(emil.page.get_by_text("Read by maja").last).to_be_visible()
    await emil.open("The whole family")
    await emil.say("four")
    await _notes(tabs, 6)


async def test_title_and_badge_show_the_unread_count(demo: Server, of_the_family: SignedIn) -> None:
    maja, emil = await of_the_family("maja"), await of_the_family("emil")
    await maja.context.add_init_script("Navigator.prototype.setAppBadge = async count => { window.badge = count }")
    await maja.page.reload()
    await _counts(maja, 7)  # the demo's own
    await emil.open("maja")
    await emil.say("one")
    await _counts(maja, 8)
    await maja.open("emil")
    await _counts(maja, 6)
    for conversation in ("Summer house", "The whole family"):
        await maja.open(conversation)
        await expect(maja.listed(conversation)).not_to_contain_text("unread")
    await _counts(maja, 0)


async def test_quiet_hours_are_kept_in_the_persons_own_time_zone(of_the_family: SignedIn) -> None:
    maja = await of_the_family("maja", timezone_id="Europe/Stockholm")
    notices = await _notices(maja)
    await notices.get_by_role("switch", name="Quiet hours").press("Space")
    await expect(notices).to_contain_text("Time zone: Europe/Stockholm")
    await notices.get_by_label("Until").fill("06:30")
    await expect(notices.get_by_label("Until")).to_be_enabled()
    await maja.page.reload()
    await expect(notices.get_by_label("From")).to_have_value("22:00")
    await expect(notices.get_by_label("Until")).to_have_value("06:30")


async def _notices(person: Person) -> Locator:
    await person.page.get_by_role("link", name="Settings").click()
    await person.page.get_by_role("link", name="Notifications", exact=True).click()
    return person.page.get_by_role("region", name="Notifications")


async def _subscribe(maja: Person, *subscribers: Subscriber) -> Locator:
    """Enable notifications with a browser that creates these subscriptions; return the settings."""
    await maja.context.grant_permissions(["notifications"])
    given = json.dumps([each.subscription() for each in subscribers])
    await maja.context.add_init_script(f"({_SUBSCRIBE})({given})")
    await maja.page.reload()
    notices = await _notices(maja)
    switch = notices.get_by_role("switch", name="Notifications on this device")
    await switch.press("Space")
    await expect(switch).to_be_checked()
    return notices


def _subscribed_anew(page: Page) -> AbstractAsyncContextManager[Any]:
    return page.expect_response(lambda it: it.request.method == "PUT" and it.url.endswith("/me/push"))


async def _worker(person: Person) -> Worker:
    """Return the service worker once it controls the page."""
    await person.page.evaluate("navigator.serviceWorker.ready")
    return person.context.service_workers[0]


async def _rung(service: PushService, subscriber: Subscriber, count: int) -> Any:
    await service.rung(count)
    return subscriber.read(service.requests[-1][2])


async def _said_while_away(maja: Person, emil: Person, service: PushService, subscriber: Subscriber) -> Any:
    count = len(service.requests)
    await maja.page.goto(f"{maja.url}/events")
    await emil.say("Are you there?")
    reported = await _rung(service, subscriber, count + 1)
    await maja.page.go_back()
    return reported


async def _rings(notices: Locator, service: PushService, subscriber: Subscriber) -> None:
    """Assert that a test notification arrives at this subscription only."""
    count = len(service.requests)
    await notices.get_by_role("button", name="Send a test notification").click()
    assert (await _rung(service, subscriber, count + 1))["kind"] == "test"
    assert [path for path, _, _ in service.requests[count:]] == [f"/{subscriber.endpoint.rpartition('/')[2]}"]


async def _notes(tabs: list[Page], count: int) -> None:
    """Wait until all tabs together have played exactly this many sounds."""
    async with asyncio.timeout(20):
        while sum(played := [await tab.evaluate("window.notes") for tab in tabs]) < count:  # noqa: ASYNC110 - a count
            await asyncio.sleep(0.05)
    assert sum(played) == count, played


async def _counts(person: Person, unread: int) -> None:
    await expect(person.page).to_have_title(f"({unread}) Sundqvists" if unread else "Sundqvists")
    await person.page.wait_for_function("unread => window.badge === unread", arg=unread)


async def _deliver(person: Person, reported: Any) -> None:
    """Wake the worker like a push service, with the browser's developer tools."""
    tools = await person.context.new_cdp_session(person.page)
    found: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def registered(event: dict[str, Any]) -> None:
        mine = [each for each in event["registrations"] if each["scopeURL"] == f"{person.url}/"]
        if mine and not found.done():
            found.set_result(mine[0]["registrationId"])

    tools.on("ServiceWorker.workerRegistrationUpdated", registered)
    await tools.send("ServiceWorker.enable")
    message = {"origin": person.url, "registrationId": await found, "data": json.dumps(reported)}
    await tools.send("ServiceWorker.deliverPushMessage", message)
    await tools.detach()


async def _shows(person: Person, notice: list[str]) -> None:
    """Wait until a notification is displayed: the browser reports the wake-up before the worker shows it."""
    async with asyncio.timeout(30):
        while notice not in (shown := await person.page.evaluate(_SHOWN)):  # noqa: ASYNC110 - there is no event for it
            await asyncio.sleep(0.05)
    assert len(shown) <= MOST_SHOWN, shown


async def _click_on_notice(person: Person, conversation_id: str) -> None:
    worker = await _worker(person)
    await worker.evaluate(
        """async tag => {
            const [notification] = await self.registration.getNotifications({ tag })
            self.dispatchEvent(new NotificationEvent("notificationclick", { notification }))
        }""",
        conversation_id,
    )
