"""A phone that fell asleep with an open socket is notified of every message, exactly once.

The times are scaled by 1/20: messages 3, 20 and 55 seconds after the phone fell silent, and a server that closes an
idle connection after 60. `REAL_TIME=1` runs them in real time.
"""

import asyncio
import os
import shutil
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from famichat.app import server
from famichat.app.open_files import transport_limits
from famichat.push import notifier
from famichat.storage.base import new_id
from tests.factories.people import PASSWORD, Person
from tests.support.app import RunningApp, running_app, served
from tests.support.postgres import Postgres
from tests.support.push_service import Browser, PushService, push_service
from tests.support.redis import Redis
from tests.support.silent_proxy import SilentProxy

SCALE = 1 if os.environ.get("REAL_TIME") else 1 / 20
DELAYS = [3 * SCALE, 20 * SCALE, 55 * SCALE]


@dataclass(frozen=True, slots=True)
class Nodes:
    """Where messages are sent, and where the phones are connected; both are the same node on SQLite."""

    sending: RunningApp
    receiving: RunningApp
    service: PushService

    async def send(self) -> None:
        path = f"/conversations/{self.sending.talks.direct}/messages"
        async with self.sending.http(self.sending.home.maja) as http:
            assert (await http.post(path, json={"body": "are you there?"})).is_success


@pytest.fixture(autouse=True)
def _scaled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        server, "transport_limits", lambda settings: replace(transport_limits(settings), idle_timeout=60 * SCALE)
    )
    for name in ("BATCH_SECONDS", "SHOW_AFTER_SECONDS", "PUSH_AFTER_SECONDS", "RECOVERY_SECONDS"):
        monkeypatch.setattr(notifier, name, getattr(notifier, name) * max(SCALE, 1 / 8))


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[Redis]:
    broker = Redis(tmp_path)
    yield broker
    broker.kill()


@pytest.fixture(params=["sqlite", "two nodes"])
async def nodes(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Nodes]:
    async with AsyncExitStack() as stack:
        service = await stack.enter_async_context(push_service())
        settings = {"push_private_addresses": True}
        if request.param == "sqlite":
            url = f"sqlite:///{shutil.copy(request.getfixturevalue('migrated_sqlite'), tmp_path / 'famichat.db')}"
            app = await stack.enter_async_context(running_app(url, tmp_path, **settings))
            yield Nodes(app, app, service)
            return
        postgres: Postgres = request.getfixturevalue("postgres")
        redis: Redis = request.getfixturevalue("redis")
        url = postgres.create(f"test_{new_id()}", request.getfixturevalue("migrated_postgres"))
        one = await stack.enter_async_context(running_app(url, tmp_path, pubsub_url=redis.url, **settings))
        second = one.settings.model_copy(update={"data_dir": tmp_path / "other"})
        other = await stack.enter_async_context(served(second))
        yield Nodes(one, replace(one, url=other.url, settings=second), service)


async def test_each_message_to_a_sleeping_phone_is_notified_exactly_once(nodes: Nodes) -> None:
    async with AsyncExitStack() as stack:
        phones = [await stack.enter_async_context(_phone(nodes, str(delay))) for delay in DELAYS]
        asleep_at = time.monotonic()
        for phone in phones:
            phone.fall_silent()
        for delay in DELAYS:
            await asyncio.sleep(max(0, asleep_at + delay - time.monotonic()))
            await nodes.send()
            sent_at = time.monotonic()
            await nodes.service.rung(len(phones) * (DELAYS.index(delay) + 1))
            assert time.monotonic() - sent_at < 10
        await asyncio.sleep(2 * notifier.PUSH_AFTER_SECONDS)  # longer than any of them could still wait

    notified = Counter(path for path, *_ in nodes.service.requests)
    assert notified == {f"/{delay}": len(DELAYS) for delay in DELAYS}


@asynccontextmanager
async def _phone(nodes: Nodes, name: str) -> AsyncIterator[SilentProxy]:
    """A phone of Emil in the foreground, subscribed to notifications; yields the network before it."""
    app, emil = nodes.receiving, nodes.receiving.home.emil
    async with app.http() as http:
        credentials = {"username": "emil", "password": PASSWORD}
        session = (await http.post("/sessions", json=credentials)).raise_for_status().json()
    person: Person = replace(emil, device_id=session["device_id"])
    browser: Browser = nodes.service.browser(name)
    async with app.http(person) as http:
        (await http.put("/me/push", json=browser.subscription())).raise_for_status()
    proxy = SilentProxy(urlsplit(app.url).port or 0)
    async with proxy, replace(app, url=proxy.url).connect(person) as client:
        await client.join(f"user:{person.user_id}", {"foreground": True})
        await client.join(f"message:direct:{app.talks.direct}")
        yield proxy
        client.websocket.transport.abort()  # a silent proxy passes no close frame
