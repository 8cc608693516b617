"""Two server processes on one PostgreSQL with a real Redis, also while Redis is unavailable."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from famichat.accounts.sign_in.login_throttle import FROM_ONE_ADDRESS
from famichat.actions.events import head_broadcaster
from famichat.actions.rate_limit import LIMITS
from famichat.storage.base import new_id
from tests.factories.people import PASSWORD
from tests.support.app import RunningApp, running_app, served
from tests.support.channel_client import ChannelClient
from tests.support.postgres import Postgres
from tests.support.redis import Redis


@dataclass(frozen=True, slots=True)
class Nodes:
    """Two nodes that serve the same family."""

    one: RunningApp
    other: RunningApp
    redis: Redis

    @property
    def topic(self) -> str:
        return f"message:direct:{self.one.talks.direct}"


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[Redis]:
    server = Redis(tmp_path)
    yield server
    server.kill()


@pytest.fixture
async def nodes(
    postgres: Postgres, migrated_postgres: str, redis: Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Nodes]:
    monkeypatch.setattr(head_broadcaster, "EVERY_SECONDS", 0.5)
    url = postgres.create(f"test_{new_id()}", migrated_postgres)
    async with running_app(url, tmp_path, pubsub_url=redis.url) as one:
        second = one.settings.model_copy(update={"data_dir": tmp_path / "other"})
        async with served(second) as ready:
            yield Nodes(one, replace(one, url=ready.url, settings=second), redis)


async def test_a_message_sent_on_one_node_arrives_on_the_other_once(nodes: Nodes) -> None:
    async with nodes.one.connect(nodes.one.home.maja) as maja, nodes.other.connect(nodes.one.home.emil) as emil:
        await maja.join(nodes.topic)
        await emil.join(nodes.topic)
        await _both_nodes_hear_each_other(nodes)

        for n in range(20):
            await maja.ask(nodes.topic, "new_msg", {"body": str(n)})
        received = [(await emil.assert_broadcast(nodes.topic, "new_msg")).payload["seq"] for _ in range(20)]

        assert received == list(range(1, 21))
        await emil.refute_broadcast(nodes.topic, "new_msg")


async def test_the_same_client_id_on_both_nodes_at_once_is_one_message(nodes: Nodes) -> None:
    async with nodes.one.connect(nodes.one.home.maja) as here, nodes.other.connect(nodes.one.home.maja) as there:
        await here.join(nodes.topic)
        await there.join(nodes.topic)
        for n in range(25):
            message = {"body": "once", "client_id": f"c{n}"}
            replies = await asyncio.gather(*[client.ask(nodes.topic, "new_msg", message) for client in (here, there)])
            assert replies[0].response == replies[1].response
        page = (await here.ask(nodes.topic, "fetch", {"after_seq": 0})).response

    assert [message["seq"] for message in page["messages"]] == list(range(1, 26))


async def test_a_device_revoked_on_one_node_is_closed_on_the_other_within_a_second(nodes: Nodes) -> None:
    async with nodes.other.connect(nodes.one.home.maja) as maja, nodes.one.http(nodes.one.home.maja) as http:
        await maja.join(nodes.topic)
        await _both_nodes_hear_each_other(nodes)

        assert (await http.delete(f"/devices/{nodes.one.home.maja.device_id}")).status_code == 204
        began = time.monotonic()

        assert await maja.closed() == 1001
        assert time.monotonic() - began < 1


async def test_a_client_that_missed_the_last_message_during_a_broker_outage_learns_of_it(nodes: Nodes) -> None:
    async with nodes.one.connect(nodes.one.home.maja) as maja, nodes.other.connect(nodes.one.home.emil) as emil:
        await maja.join(nodes.topic)
        await emil.join(nodes.topic)
        nodes.redis.kill()

        sent = (await maja.ask(nodes.topic, "new_msg", {"body": "does anybody hear me?"})).response

        assert sent["seq"] == 1
        await emil.assert_broadcast(nodes.topic, "head", {"last_seq": 1})
        fetched = (await emil.ask(nodes.topic, "fetch", {"after_seq": 0})).response
        assert [message["message_id"] for message in fetched["messages"]] == [sent["message_id"]]
        await maja.ask(nodes.topic, "edit_msg", {"message_id": sent["message_id"], "body": "anybody?"})
        await emil.assert_broadcast(nodes.topic, "head", {"last_change": 1})
        feed = (await emil.ask(nodes.topic, "fetch_changes", {"after_change": 0})).response
        assert [message["body"] for message in feed["changes"]] == ["anybody?"]
        nodes.redis.start()


async def _both_nodes_hear_each_other(nodes: Nodes) -> None:
    """Wait until the broker works in both directions: presence shows each user on the other node."""
    async with nodes.one.connect(nodes.one.home.inga) as here, nodes.other.connect(nodes.one.home.inga) as there:
        topic = f"message:group:{nodes.one.talks.group}"
        await here.join(topic)
        await there.join(topic)
        async with asyncio.timeout(10):
            for client in (here, there):
                while await _metas(client, topic) < 2:  # noqa: ASYNC110 - it asks the server again
                    await asyncio.sleep(0.05)


async def _metas(client: ChannelClient, topic: str) -> int:
    await client.join(topic)
    state = (await client.assert_push(topic, "presence_state")).payload
    return sum(len(entry["metas"]) for entry in state.values())


async def test_wrong_passwords_are_counted_for_all_nodes_and_requests_for_each(
    postgres: Postgres, migrated_postgres: str, tmp_path: Path
) -> None:
    url = postgres.create(f"test_{new_id()}", migrated_postgres)
    async with running_app(url, tmp_path, rate_limits="on") as one:
        second = one.settings.model_copy(update={"data_dir": tmp_path / "other"})
        async with served(second) as ready, one.http() as here, replace(one, url=ready.url).http() as there:
            nodes, wrong = (here, there), {"username": "maja", "password": "wrong"}
            for n in range(FROM_ONE_ADDRESS.attempts):
                assert (await nodes[n % 2].post("/sessions", json=wrong)).status_code == 401
            right = [await node.post("/sessions", json=wrong | {"password": PASSWORD}) for node in nodes]
            while (await here.get("/invites/x")).status_code == 404:
                pass
            fresh = [await there.get("/invites/x") for _ in range(int(LIMITS["invite"].burst))]

    assert [each.status_code for each in right] == [429, 429]
    assert {each.status_code for each in fresh} == {404}
