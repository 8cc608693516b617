import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from famichat.actions.rate_limit import DEVICES, LIMITS
from famichat.app import delivery
from famichat.push import notifier, sender
from famichat.push.circuit_breaker import FAILURES
from famichat.push.position import UnconfirmedClaim, unconfirmed_claims
from famichat.push.slots import PER_USER
from tests.factories.people import PASSWORD, Person
from tests.support.app import RunningApp, running_app, served
from tests.support.channel_client import ChannelClient
from tests.support.push_service import SLOW, Browser, PushService, push_service, verified


class Clock:
    """Stands still between the steps of a test. Sleeping tasks wake when it has passed their time."""

    def __init__(self) -> None:
        self.limit = 0.0
        self._seconds = 0.0

    async def sleep(self, seconds: float) -> None:
        due = self._seconds + seconds
        await asyncio.sleep(0.005)  # a loop of sleeps must not take all the time of the event loop
        while self.limit < due:  # noqa: ASYNC110 - the limit is no event
            await asyncio.sleep(0.005)
        self._seconds = max(self._seconds, due)

    def stop(self) -> None:
        self.limit = self._seconds


class Observed(notifier.PushNotifier):
    """Tells when the messages from before the start are handled."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.recovered = asyncio.Event()

    async def _recover(self, since: datetime, until: datetime, workers: asyncio.TaskGroup) -> None:
        await super()._recover(since, until, workers)
        self.recovered.set()

    async def idle(self) -> None:
        """Wait until nothing is queued or being sent."""
        async with asyncio.timeout(15):
            while self.waiting:  # noqa: ASYNC110 - a count
                await asyncio.sleep(0.005)


@dataclass(frozen=True, slots=True)
class Rung:
    """A family whose devices have push subscriptions."""

    app: RunningApp
    service: PushService
    clock: Clock
    notifiers: list[Observed]

    async def ask(self, who: Person, verb: str, path: str, body: Any = None) -> Any:
        async with self.app.http(who) as http:
            answer = await http.request(verb, path, json=body)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    async def subscribe(self, who: Person) -> Browser:
        browser = self.service.browser(who.username)
        await self.ask(who, "PUT", "/me/push", browser.subscription())
        return browser

    async def say(self, who: Person, body: str, **more: Any) -> Any:
        path = f"/conversations/{self.app.talks.direct}/messages"
        return await self.ask(who, "POST", path, {"body": body, **more})

    async def notify(self) -> list[str]:
        """Let the time pass until all messages are handled; return the browsers that were notified meanwhile."""
        before = len(self.service.requests)
        self.clock.limit = float("inf")
        await self.notifiers[-1].idle()
        self.clock.stop()
        return [path.removeprefix("/") for path, *_ in self.service.requests[before:]]

    async def unconfirmed(self) -> set[UnconfirmedClaim]:
        """The claims of notifications that no push service has answered."""
        return await self.notifiers[-1]._services.database.read(lambda session: unconfirmed_claims(session, 100))

    async def sign_in(self, who: Person) -> Person:
        """The same person on another device."""
        async with self.app.http() as http:
            session = (await http.post("/sessions", json={"username": who.username, "password": PASSWORD})).json()
        return replace(who, device_id=session["device_id"])

    @asynccontextmanager
    async def device(self, who: Person, *, foreground: bool | None) -> AsyncIterator[ChannelClient]:
        """A device that has joined the channels of its user and of the direct conversation."""
        async with self.app.connect(who) as client:
            await client.join(f"user:{who.user_id}", {} if foreground is None else {"foreground": foreground})
            await client.join(self.topic)
            yield client

    @property
    def topic(self) -> str:
        return f"message:direct:{self.app.talks.direct}"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(notifier, "sleep", clock.sleep)
    monkeypatch.setattr(sender, "BACKOFF_SECONDS", 0.02)
    monkeypatch.setattr(sender, "CONFIRMATION_SECONDS", 0)
    return clock


@pytest.fixture
def notifiers(monkeypatch: pytest.MonkeyPatch) -> list[Observed]:
    """The notifiers of the servers that the test starts."""
    made: list[Observed] = []

    def make(*args: Any) -> Observed:
        made.append(Observed(*args))
        return made[-1]

    monkeypatch.setattr(delivery, "PushNotifier", make)
    return made


@pytest.fixture
async def rung(database_url: str, tmp_path: Path, clock: Clock, notifiers: list[Observed]) -> AsyncIterator[Rung]:
    async with push_service() as service, running_app(database_url, tmp_path, push_private_addresses=True) as app:
        yield Rung(app, service, clock, notifiers)


@pytest.mark.parametrize(
    ("content", "beyond"),
    [
        ("none", {}),
        ("sender", {"sender": "maja"}),
        ("full", {"sender": "maja", "body": "supper is ready"}),
    ],
)
async def test_a_notification_has_the_chosen_detail_and_is_encrypted_for_the_browser(
    rung: Rung, content: str, beyond: dict[str, str]
) -> None:
    maja, emil = rung.app.home.maja, rung.app.home.emil
    browser = await rung.subscribe(emil)
    await rung.ask(emil, "PATCH", "/me/push", {"content": content})
    await rung.say(maja, "supper is ready")
    await rung.notify()
    _, headers, body = rung.service.requests[0]
    notification = browser.read(body)
    claims, key = verified(headers["authorization"])

    assert b"supper" not in body
    assert (notification["kind"], notification["seq"], notification["content"]) == ("message", 1, content)
    assert {name: notification.get(name) for name in ("sender", "body") if name in notification} == beyond
    assert claims["aud"] == rung.service.url
    assert key == (await rung.ask(emil, "GET", "/push/key"))["public_key"]
    assert headers["content-encoding"] == "aes128gcm"


async def test_a_notification_of_an_encrypted_message_has_no_content(rung: Rung) -> None:
    browser = await rung.subscribe(rung.app.home.emil)
    await rung.ask(rung.app.home.emil, "PATCH", "/me/push", {"content": "full"})
    await rung.say(rung.app.home.maja, "b3BhcXVl", encryption_flag=True, encryption_version="v1.0.0", key_id="k")
    await rung.notify()

    assert browser.read(rung.service.requests[0][2]).keys().isdisjoint({"body", "sender", "conversation_name"})


async def test_a_connected_device_that_does_not_acknowledge_is_notified_and_the_sender_is_not(rung: Rung) -> None:
    await rung.subscribe(rung.app.home.maja)
    await rung.subscribe(rung.app.home.emil)
    async with rung.device(rung.app.home.emil, foreground=True):
        await rung.say(rung.app.home.maja, "hello")

        assert await rung.notify() == ["emil"]


@pytest.mark.parametrize(
    ("foreground", "status", "notified"),
    [
        (True, "delivered", []),
        (None, "delivered", []),  # a client that never reports, such as a bot
        (False, "delivered", ["emil"]),
        (False, "read", []),
    ],
)
async def test_an_acknowledgement_counts_if_the_user_was_looking(
    rung: Rung, *, foreground: bool | None, status: str, notified: list[str]
) -> None:
    await rung.subscribe(rung.app.home.emil)
    async with rung.device(rung.app.home.emil, foreground=foreground) as emil:
        await rung.say(rung.app.home.maja, "hello")
        await emil.ask(rung.topic, "message_ack", {"seq": 1, "status": status})

    assert await rung.notify() == notified


async def test_of_two_tabs_the_visible_one_counts(rung: Rung) -> None:
    await rung.subscribe(rung.app.home.emil)
    emil = rung.app.home.emil
    async with rung.device(emil, foreground=True) as visible, rung.device(emil, foreground=False) as hidden:
        await rung.say(rung.app.home.maja, "hello")
        for tab in (hidden, visible):
            assert (await tab.ask(rung.topic, "message_ack", {"seq": 1})).status == "ok"

    assert await rung.notify() == []


async def test_a_change_of_the_attention_counts_from_then_on(rung: Rung) -> None:
    emil, notified = rung.app.home.emil, []
    await rung.subscribe(emil)
    async with rung.device(emil, foreground=True) as client:
        for seq, foreground in ((1, False), (2, True)):
            reply = await client.ask(f"user:{emil.user_id}", "attention", {"foreground": foreground})
            assert (reply.status, reply.response) == ("ok", {})
            await rung.say(rung.app.home.maja, "hello")
            await client.ask(rung.topic, "message_ack", {"seq": seq})
            notified.append(await rung.notify())

    assert notified == [["emil"], []]


async def test_a_background_tab_shows_its_own_notification_and_none_is_pushed(rung: Rung) -> None:
    emil = rung.app.home.emil
    await rung.subscribe(emil)
    await rung.ask(emil, "PATCH", "/me/push", {"content": "full"})
    topic = f"user:{emil.user_id}"
    async with rung.device(emil, foreground=False) as client:
        sent = await rung.say(rung.app.home.maja, "supper is ready")
        await client.ask(rung.topic, "message_ack", {"seq": 1})
        rung.clock.limit = notifier.PUSH_AFTER_SECONDS - 1
        shown = (await client.assert_broadcast(topic, "notification")).payload
        confirmed = await client.ask(topic, "notified", {"conversation_id": shown["conversation_id"], "seq": 1})

        assert (shown["message_id"], shown["body"]) == (sent["message_id"], "supper is ready")
        assert confirmed.status == "ok"
        assert await rung.notify() == []


async def test_only_members_confirm_notifications_and_only_of_messages_that_exist(rung: Rung) -> None:
    inga, maja = rung.app.home.inga, rung.app.home.maja
    payload = {"conversation_id": rung.app.talks.direct, "seq": 1}
    reasons = []
    for who, changed in (
        (inga, {}),
        (maja, {}),
        (maja, {"seq": 0}),
        (maja, {"seq": "1"}),
        (maja, {"conversation_id": 7}),
    ):
        topic = f"user:{who.user_id}"
        async with rung.app.connect(who) as client:
            await client.join(topic)
            reasons.append((await client.ask(topic, "notified", {**payload, **changed})).response["reason"])

    assert reasons == ["not_found", *["invalid_message"] * 4]


async def test_a_message_that_is_read_on_another_device_causes_no_notification(rung: Rung) -> None:
    emil = rung.app.home.emil
    await rung.subscribe(emil)
    tablet = await rung.sign_in(emil)
    await rung.say(rung.app.home.maja, "hello")
    async with rung.device(tablet, foreground=True) as client:
        await client.ask(rung.topic, "message_ack", {"seq": 1, "status": "read"})

    assert await rung.notify() == []


async def test_the_next_notification_names_the_conversations_that_were_read_meanwhile(rung: Rung) -> None:
    emil, maja = rung.app.home.emil, rung.app.home.maja
    browser = await rung.subscribe(emil)
    await rung.say(maja, "hello")
    await rung.notify()
    async with rung.device(emil, foreground=True) as client:
        await client.ask(rung.topic, "message_ack", {"seq": 1, "status": "read"})
    for _ in range(2):
        await rung.ask(maja, "POST", f"/conversations/{rung.app.talks.group}/messages", {"body": "hello"})
        await rung.notify()

    read = [browser.read(body).get("read") for _, _, body in rung.service.requests]
    assert read == [None, [rung.app.talks.direct], None]


async def test_messages_that_a_stopped_server_did_not_handle_are_notified_once_after_the_next_start(
    database_url: str, tmp_path: Path, clock: Clock, notifiers: list[Observed]
) -> None:
    async with push_service() as service:
        async with running_app(database_url, tmp_path, push_private_addresses=True) as app:
            rung = Rung(app, service, clock, notifiers)
            await rung.subscribe(app.home.emil)
            await rung.say(app.home.maja, "handled")
            assert await rung.notify() == ["emil"]
            await rung.say(app.home.maja, "not handled")
        clock.limit = float("inf")
        for _ in range(2):
            async with served(app.settings):
                await notifiers[-1].recovered.wait()
                await notifiers[-1].idle()

        assert [path for path, *_ in service.requests] == ["/emil", "/emil"]


@pytest.mark.parametrize("answer", ["201 Created", "410 Gone", "400 Bad Request"])
async def test_a_notification_that_the_push_service_answered_is_confirmed(rung: Rung, answer: str) -> None:
    await rung.subscribe(rung.app.home.emil)
    rung.service.answers.append(answer)
    await rung.say(rung.app.home.maja, "hello")
    await rung.notify()

    assert await rung.unconfirmed() == set()


@asynccontextmanager
async def waiting_for_a_retry(
    database_url: str, folder: Path, service: PushService, clock: Clock, notifiers: list[Observed]
) -> AsyncIterator[Rung]:
    """Run a server whose notification for Emil was refused for now."""
    service.answers.append("503 Busy")
    async with running_app(database_url, folder, push_private_addresses=True) as app:
        rung = Rung(app, service, clock, notifiers)
        await rung.subscribe(app.home.emil)
        await rung.say(app.home.maja, "hello")
        clock.limit = float("inf")
        await service.rung()
        yield rung


async def test_a_notification_that_waits_for_a_retry_is_sent_after_the_next_start(
    database_url: str, tmp_path: Path, clock: Clock, notifiers: list[Observed], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "BACKOFF_SECONDS", 60)
    async with push_service() as service:
        async with waiting_for_a_retry(database_url, tmp_path, service, clock, notifiers) as rung:
            pass
        async with served(rung.app.settings):
            await service.rung(2)
            await notifiers[-1].idle()
            left = await rung.unconfirmed()

    assert [path for path, *_ in service.requests] == ["/emil", "/emil"]
    assert len({headers["topic"] for _, headers, _ in service.requests}) == 1, "the second request replaces the first"
    assert left == set()


async def test_a_notification_that_became_unwanted_before_the_next_start_is_not_sent(
    database_url: str, tmp_path: Path, clock: Clock, notifiers: list[Observed], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "BACKOFF_SECONDS", 60)
    async with push_service() as service:
        async with waiting_for_a_retry(database_url, tmp_path, service, clock, notifiers) as rung:
            await rung.ask(rung.app.home.emil, "PUT", f"/conversations/{rung.app.talks.direct}/muted")
        async with served(rung.app.settings), asyncio.timeout(15):
            while await rung.unconfirmed():  # noqa: ASYNC110 - stored by a task of the server
                await asyncio.sleep(0.01)

    assert len(service.requests) == 1


async def test_a_node_renews_the_claims_that_it_is_still_sending(rung: Rung, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender, "RENEWAL_SECONDS", 0.01)
    emil = rung.app.home.emil
    await rung.ask(emil, "PUT", "/me/push", rung.service.browser(f"{SLOW}-emil").subscription())
    await rung.say(rung.app.home.maja, "hello")
    rung.clock.limit = float("inf")
    await rung.service.rung()
    first = await rung.unconfirmed()
    async with asyncio.timeout(15):
        while first & await rung.unconfirmed():  # noqa: ASYNC110 - stored by a task of the server
            await asyncio.sleep(0.01)
    rung.service.answer_slow.set()
    await rung.notifiers[-1].idle()

    assert len(first) == len(rung.service.requests) == 1
    assert await rung.unconfirmed() == set()


async def test_slow_endpoints_of_one_member_do_not_delay_the_notifications_of_others(rung: Rung) -> None:
    home = rung.app.home
    for who in (home.emil, await rung.sign_in(home.emil), await rung.sign_in(home.emil)):
        await rung.ask(who, "PUT", "/me/push", rung.service.browser(f"{SLOW}-{who.device_id}").subscription())
    await rung.subscribe(home.inga)
    await rung.ask(home.maja, "POST", f"/conversations/{rung.app.talks.group}/messages", {"body": "hello"})
    rung.clock.limit = float("inf")
    await rung.service.rung(PER_USER + 1)
    reached = [path for path, *_ in rung.service.requests]
    rung.service.answer_slow.set()
    await rung.service.rung(4)

    assert "/inga" in reached
    assert len(reached) == PER_USER + 1


async def test_a_service_that_does_not_respond_is_left_alone_for_a_while(rung: Rung) -> None:
    connected = []

    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connected.append(writer)
        writer.close()

    emil = rung.app.home.emil
    async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as server:
        browser = Browser(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/x")
        await rung.ask(emil, "PUT", "/me/push", browser.subscription())
        outcomes = [(await rung.ask(emil, "POST", "/me/push/test"))["outcome"] for _ in range(FAILURES + 2)]

    assert outcomes == ["unreachable"] * (FAILURES + 2)
    assert len(connected) == FAILURES


@pytest.mark.parametrize("flag", ["muted", "archived"])
async def test_a_muted_conversation_sends_no_notifications(rung: Rung, flag: str) -> None:
    await rung.subscribe(rung.app.home.emil)
    await rung.ask(rung.app.home.emil, "PUT", f"/conversations/{rung.app.talks.direct}/{flag}")
    await rung.say(rung.app.home.maja, "hello")

    assert await rung.notify() == []


async def test_quiet_hours_are_kept_by_the_server(rung: Rung) -> None:
    await rung.subscribe(rung.app.home.emil)
    # One of these two halves of the day is now, whenever the test runs.
    rings = []
    for hours in (("00:00", "12:00"), ("12:00", "00:00")):
        quiet = {"from": hours[0], "until": hours[1], "time_zone": "Asia/Tokyo"}
        chosen = await rung.ask(rung.app.home.emil, "PATCH", "/me/push", {"quiet_hours": quiet})
        assert chosen["quiet_hours"] == quiet
        await rung.say(rung.app.home.maja, "hello")
        rings.append(len(await rung.notify()))
    ended = await rung.ask(rung.app.home.emil, "PATCH", "/me/push", {"quiet_hours": None})

    assert sorted(rings) == [0, 1]
    assert ended == {"subscribed": True, "content": "none", "quiet_hours": None}


async def test_a_revoked_device_is_no_longer_notified(rung: Rung) -> None:
    emil = rung.app.home.emil
    await rung.subscribe(emil)
    await rung.ask(emil, "DELETE", f"/devices/{emil.device_id}")
    await rung.say(rung.app.home.maja, "hello")

    assert await rung.notify() == []


async def test_a_busy_service_is_tried_again_and_an_expired_subscription_forgotten(rung: Rung) -> None:
    emil = rung.app.home.emil
    rung.service.answers += ["503 Busy", "429 Too Many Requests", "201 Created", "410 Gone"]
    await rung.subscribe(emil)
    await rung.say(rung.app.home.maja, "hello")
    await rung.notify()
    test = await rung.ask(emil, "POST", "/me/push/test")

    assert test == {"outcome": "gone", "status": 410}
    assert (await rung.ask(emil, "GET", "/me/push"))["subscribed"] is False
    assert await rung.ask(emil, "POST", "/me/push/test") == {"outcome": "not_subscribed", "status": None}


async def test_a_redirect_is_not_followed(rung: Rung) -> None:
    rung.service.answers.append(f"302 Found\r\nLocation: {rung.service.url}/elsewhere")
    await rung.subscribe(rung.app.home.emil)

    assert await rung.ask(rung.app.home.emil, "POST", "/me/push/test") == {"outcome": "refused", "status": 302}
    assert [path for path, *_ in rung.service.requests] == ["/emil"]


async def test_a_browser_belongs_to_the_last_user_who_signed_in(rung: Rung) -> None:
    emil, inga = rung.app.home.emil, rung.app.home.inga
    browser = await rung.subscribe(emil)
    await rung.ask(inga, "PUT", "/me/push", browser.subscription())

    assert (await rung.ask(emil, "GET", "/me/push"))["subscribed"] is False
    assert await rung.ask(inga, "POST", "/me/push/test") == {"outcome": "sent", "status": 201}
    assert browser.read(rung.service.requests[0][2]) == {"kind": "test"}


async def test_without_the_setting_no_request_reaches_the_local_machine(app: RunningApp) -> None:
    async with push_service() as service, app.http(app.home.emil) as http:
        for url in (service.url, service.url.replace("http:", "https:")):
            browser = Browser(f"{url}/x")
            await http.put("/me/push", json=browser.subscription())
            assert (await http.post("/me/push/test")).json() == {"outcome": "forbidden_address", "status": None}
        assert service.requests == []


async def test_notifications_per_user_are_limited_across_devices(database_url: str, tmp_path: Path) -> None:
    async with running_app(database_url, tmp_path, rate_limits="on") as app, app.http() as http:
        rung = []
        for _ in range(DEVICES + 1):
            session = (await http.post("/sessions", json={"username": "emil", "password": PASSWORD})).json()
            bearer = {"authorization": f"Bearer {session['access_token']}"}
            responses = [
                await http.post("/me/push/test", headers=bearer) for _ in range(int(LIMITS["push_test"].burst))
            ]
            rung += [each.status_code for each in responses]

    allowed = DEVICES * int(LIMITS["push_test"].burst)
    assert rung == [200] * allowed + [429] * (len(rung) - allowed)
