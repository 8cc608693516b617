import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from famichat.actions.rate_limit import DEVICES, LIMITS
from famichat.push import notifier
from tests.factories.people import PASSWORD, Person
from tests.support.app import RunningApp, running_app
from tests.support.push_service import Browser, PushService, push_service, verified

QUIET = 0.5


@dataclass(frozen=True, slots=True)
class Rung:
    """A family whose devices have push subscriptions."""

    app: RunningApp
    service: PushService

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

    async def nobody_is_rung(self) -> None:
        before = len(self.service.requests)
        await asyncio.sleep(QUIET)
        assert len(self.service.requests) == before


@pytest.fixture
async def rung(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Rung]:
    monkeypatch.setattr(notifier, "DELAY_SECONDS", 0.02)
    monkeypatch.setattr(notifier, "BACKOFF_SECONDS", 0.02)
    async with push_service() as service, running_app(database_url, tmp_path, push_private_addresses=True) as app:
        yield Rung(app, service)


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
    await rung.service.rung()
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
    await rung.service.rung()

    assert browser.read(rung.service.requests[0][2]).keys().isdisjoint({"body", "sender", "conversation_name"})


async def test_online_devices_and_the_senders_devices_are_not_notified(rung: Rung) -> None:
    await rung.subscribe(rung.app.home.maja)
    await rung.subscribe(rung.app.home.emil)
    async with rung.app.connect(rung.app.home.emil):
        await rung.say(rung.app.home.maja, "hello")
        await rung.nobody_is_rung()


@pytest.mark.parametrize("flag", ["muted", "archived"])
async def test_a_muted_conversation_sends_no_notifications(rung: Rung, flag: str) -> None:
    await rung.subscribe(rung.app.home.emil)
    await rung.ask(rung.app.home.emil, "PUT", f"/conversations/{rung.app.talks.direct}/{flag}")
    await rung.say(rung.app.home.maja, "hello")
    await rung.nobody_is_rung()


async def test_quiet_hours_are_kept_by_the_server(rung: Rung) -> None:
    await rung.subscribe(rung.app.home.emil)
    # One of these two halves of the day is now, whenever the test runs.
    rings = []
    for hours in (("00:00", "12:00"), ("12:00", "00:00")):
        before = len(rung.service.requests)
        quiet = {"from": hours[0], "until": hours[1], "time_zone": "Asia/Tokyo"}
        chosen = await rung.ask(rung.app.home.emil, "PATCH", "/me/push", {"quiet_hours": quiet})
        assert chosen["quiet_hours"] == quiet
        await rung.say(rung.app.home.maja, "hello")
        if (datetime.now(ZoneInfo("Asia/Tokyo")).strftime("%H") < "12") != (hours[0] == "00:00"):
            await rung.service.rung(before + 1)
        await rung.nobody_is_rung()
        rings.append(len(rung.service.requests) - before)
    ended = await rung.ask(rung.app.home.emil, "PATCH", "/me/push", {"quiet_hours": None})

    assert sorted(rings) == [0, 1]
    assert ended == {"subscribed": True, "content": "none", "quiet_hours": None}


async def test_a_revoked_device_is_no_longer_notified(rung: Rung) -> None:
    emil = rung.app.home.emil
    await rung.subscribe(emil)
    await rung.ask(emil, "DELETE", f"/devices/{emil.device_id}")
    await rung.say(rung.app.home.maja, "hello")
    await rung.nobody_is_rung()


async def test_a_busy_service_is_tried_again_and_an_expired_subscription_forgotten(rung: Rung) -> None:
    emil = rung.app.home.emil
    rung.service.answers += ["503 Busy", "429 Too Many Requests", "201 Created", "410 Gone"]
    await rung.subscribe(emil)
    await rung.say(rung.app.home.maja, "hello")
    await rung.service.rung(3)
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


async def test_without_the_setting_nothing_goes_to_this_machine(app: RunningApp) -> None:
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
