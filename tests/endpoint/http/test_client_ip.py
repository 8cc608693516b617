"""The client address that limits count, in the real application (ASVS 4.1.3: clients cannot choose it)."""

import shutil
from pathlib import Path

import httpx
import pytest

from famichat.actions.rate_limit import LIMITS
from tests.support.app import RunningApp, running_app

BURST = int(LIMITS["invite"].burst)


async def looks_from(app: RunningApp, forwarded_for: list[str]) -> list[int]:
    """Request an invitation with each header; return the status codes."""
    async with app.http() as http:
        return [
            (await http.get("/invites/no-such-invitation", headers={"x-forwarded-for": each})).status_code
            for each in forwarded_for
        ]


@pytest.fixture
def sqlite_url(migrated_sqlite: Path, tmp_path: Path) -> str:
    shutil.copy(migrated_sqlite, tmp_path / "famichat.db")
    return f"sqlite:///{tmp_path / 'famichat.db'}"


async def test_a_header_that_a_stranger_writes_gives_no_new_guesses(sqlite_url: str, tmp_path: Path) -> None:
    invented = [f"203.0.113.{number}" for number in range(BURST + 2)]
    async with running_app(sqlite_url, tmp_path, rate_limits="on") as app:
        answers = await looks_from(app, invented)

    assert answers == [404] * BURST + [429] * 2


async def test_behind_a_trusted_proxy_people_are_counted_one_by_one(sqlite_url: str, tmp_path: Path) -> None:
    settings = {"rate_limits": "on", "trusted_proxies": "127.0.0.0/8", "metrics_token": "a token of the tests"}
    async with running_app(sqlite_url, tmp_path, **settings) as app:
        spoofed = [f"127.0.0.{number}, 198.51.100.1" for number in range(BURST + 2)]
        assert await looks_from(app, spoofed) == [404] * BURST + [429] * 2
        assert await looks_from(app, ["198.51.100.2"]) == [404]
        two_headers = [("x-forwarded-for", "198.51.100.3"), ("x-forwarded-for", "198.51.100.1")]
        async with app.http() as http:
            assert (await http.get("/invites/x", headers=two_headers)).status_code == 429
            for claimed in ("127.0.0.1", "127.0.0.1, 198.51.100.1"):
                metrics = await http.get(f"{app.url}/metrics", headers={"x-forwarded-for": claimed})
                assert metrics.status_code == 404, "a proxy passes on strangers, whatever they call themselves"


async def test_the_connections_per_address_are_limited_independently(sqlite_url: str, tmp_path: Path) -> None:
    async with running_app(sqlite_url, tmp_path, connections_per_address=3) as app:
        there = httpx.AsyncHTTPTransport(local_address="127.0.0.9")
        async with (
            app.connect(app.home.maja),
            app.connect(app.home.emil),
            app.connect(app.home.inga) as inga,
            httpx.AsyncClient(base_url=app.url, transport=there, timeout=30) as neighbour,
            app.site() as site,
        ):
            query = {"vsn": "2.0.0", "token": app.token(app.home.maja)}
            upgrade = {"connection": "upgrade", "upgrade": "websocket", "sec-websocket-version": "13"}
            key = {"sec-websocket-key": "AAAAAAAAAAAAAAAAAAAAAA=="}
            fourth = await site.get("/socket/websocket", params=query, headers=upgrade | key)
            plain = await site.get("/socket/websocket", params=query)
            polled = await site.get("/socket/longpoll", params=query)
            from_elsewhere = await neighbour.get("/socket/longpoll", params=query)
            await inga.heartbeat()
        async with app.connect(app.home.maja) as again:
            await again.heartbeat()

    assert (fourth.status_code, plain.status_code) == (429, 429)
    assert polled.json()["status"] != 410
    assert from_elsewhere.json()["status"] == 410, "a new session"


async def test_behind_a_trusted_proxy_the_people_are_counted_and_not_the_proxy(sqlite_url: str, tmp_path: Path) -> None:
    settings = {"connections_per_address": 1, "trusted_proxies": "127.0.0.1"}
    async with running_app(sqlite_url, tmp_path, **settings) as app, app.site() as proxy:
        query = {"vsn": "2.0.0", "token": app.token(app.home.maja)}
        answers = [
            (await proxy.get("/socket/longpoll", params=query, headers={"x-forwarded-for": who})).json()["status"]
            for who in ("198.51.100.1", "198.51.100.2", "8.8.8.8, 198.51.100.1")
        ]

    assert answers == [410, 410, 500]
