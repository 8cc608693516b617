"""What loses access on one node is closed on another within a second, whether or not the broker carries the news."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from famichat.storage.base import new_id
from tests.factories.people import PASSWORD, Person
from tests.support.app import RunningApp, running_app, served
from tests.support.channel_client import ChannelClient
from tests.support.postgres import Postgres
from tests.support.redis import Redis

PROMISE_SECONDS = 1.0


class Outage:
    """A broker that is up, is restarted around each removal, or does not exist."""

    def __init__(self, kind: str, directory: Path) -> None:
        self._restarts = kind == "restarting"
        self._redis = None if kind == "absent" else Redis(directory)
        self.url = "redis://127.0.0.1:1/0" if self._redis is None else self._redis.url

    def begin(self) -> None:
        """Stop the broker, if it is one that restarts."""
        if self._redis is not None and self._restarts:
            self._redis.kill()

    def end(self) -> None:
        """Start the broker again."""
        if self._redis is not None and self._restarts:
            self._redis.start()

    def close(self) -> None:
        """Stop the broker."""
        if self._redis is not None:
            self._redis.kill()


@pytest.fixture(params=["up", "restarting", "absent"])
def outage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Outage]:
    broker = Outage(request.param, tmp_path)
    yield broker
    broker.close()


@pytest.fixture
async def nodes(
    postgres: Postgres, migrated_postgres: str, outage: Outage, tmp_path: Path
) -> AsyncIterator[tuple[RunningApp, RunningApp]]:
    url = postgres.create(f"test_{new_id()}", migrated_postgres)
    async with running_app(url, tmp_path, pubsub_url=outage.url) as one:
        second = one.settings.model_copy(update={"data_dir": tmp_path / "other"})
        async with served(second) as ready:
            yield one, replace(one, url=ready.url, settings=second)


async def test_a_removal_on_one_node_closes_channels_and_connections_on_the_other_within_a_second(
    nodes: tuple[RunningApp, RunningApp], outage: Outage
) -> None:
    here, there = nodes
    home, talks = here.home, here.talks
    group, family = f"message:group:{talks.group}", f"message:family:{talks.family}"
    removals: list[tuple[Person, str, str | None, Person, str]] = [
        (home.emil, group, "phx_close", home.maja, f"/conversations/{talks.group}/members/{home.emil.user_id}"),
        (home.inga, family, "phx_close", home.maja, f"/families/{home.family_id}/members/{home.inga.user_id}"),
        (home.emil, family, None, home.emil, f"/devices/{home.emil.device_id}"),
        (home.nils, family, None, home.nils, "/me"),
    ]
    for who, topic, frame, actor, path in removals:
        async with there.connect(who) as client, here.http(actor) as http:
            await client.join(topic)
            outage.begin()
            body = {"password": PASSWORD} if path == "/me" else None
            removed = await http.request("DELETE", path, json=body)
            began_at = time.monotonic()
            assert removed.status_code in {200, 204}, removed.text
            async with asyncio.timeout(10):
                await _ended(client, frame)
            assert time.monotonic() - began_at < PROMISE_SECONDS, path
            outage.end()


async def _ended(client: ChannelClient, frame: str | None) -> None:
    """Wait until the channel is closed by this frame, or the connection if there is none."""
    if frame is None:
        assert await client.closed() == 1001
        return
    while (await client.next_frame()).event != frame:
        pass
