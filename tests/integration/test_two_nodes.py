"""Two servers on one PostgreSQL, connected by it, a real Redis or NATS, also while the broker is unavailable."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from famichat.accounts.sign_in.login_throttle import FROM_ONE_ADDRESS
from famichat.actions.events import head_broadcaster
from famichat.realtime import broker
from famichat.storage.base import new_id
from tests.factories.people import PASSWORD
from tests.support.app import RunningApp, running_app, served
from tests.support.channel_client import ChannelClient
from tests.support.nats import Nats
from tests.support.postgres import Postgres
from tests.support.redis import Redis


@dataclass(frozen=True, slots=True)
class Nodes:
    """Two nodes that serve the same family."""

    one: RunningApp
    other: RunningApp

    @property
    def topic(self) -> str:
        return f"message:direct:{self.one.talks.direct}"


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[Redis]:
    server = Redis(tmp_path)
    yield server
    server.kill()


@asynccontextmanager
async def two_nodes(url: str, folder: Path, **settings: object) -> AsyncIterator[Nodes]:
    async with running_app(url, folder, **settings) as one:
        second = one.settings.model_copy(update={"data_dir": folder / "other"})
        async with served(second) as ready:
            yield Nodes(one, replace(one, url=ready.url, settings=second))


@pytest.fixture(params=["postgres", "redis"])
async def nodes(
    request: pytest.FixtureRequest, postgres: Postgres, migrated_postgres: str, tmp_path: Path
) -> AsyncIterator[Nodes]:
    settings = {"pubsub_url": request.getfixturevalue("redis").url} if request.param == "redis" else {}
    async with two_nodes(postgres.create(f"test_{new_id()}", migrated_postgres), tmp_path, **settings) as both:
        yield both


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


@pytest.fixture(params=["redis", "nats"])
def service(request: pytest.FixtureRequest) -> Iterator[Redis | Nats]:
    if request.param == "redis":
        yield request.getfixturevalue("redis")
        return
    server = Nats()
    yield server
    server.kill()


async def test_a_message_sent_during_a_broker_outage_arrives_by_itself(
    postgres: Postgres, migrated_postgres: str, service: Redis | Nats, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(head_broadcaster, "EVERY_SECONDS", 0.5)
    url = postgres.create(f"test_{new_id()}", migrated_postgres)
    async with (
        two_nodes(url, tmp_path, pubsub_url=service.url) as nodes,
        nodes.one.connect(nodes.one.home.maja) as maja,
        nodes.other.connect(nodes.one.home.emil) as emil,
    ):
        await maja.join(nodes.topic)
        await emil.join(nodes.topic)
        service.kill()

        sent = (await maja.ask(nodes.topic, "new_msg", {"body": "does anybody hear me?"})).response
        await emil.assert_broadcast(nodes.topic, "new_msg", {"seq": 1})
        await maja.ask(nodes.topic, "edit_msg", {"message_id": sent["message_id"], "body": "anybody?"})
        await emil.assert_broadcast(nodes.topic, "message_updated", {"body": "anybody?"})
        await emil.assert_broadcast(nodes.topic, "head", {"last_seq": 1, "last_change": 1, "mls": None})
        service.start()
        await _both_nodes_hear_each_other(nodes)


async def test_clients_of_both_nodes_receive_all_messages_in_order(nodes: Nodes) -> None:
    async with nodes.one.connect(nodes.one.home.maja) as maja, nodes.other.connect(nodes.one.home.emil) as emil:
        await maja.join(nodes.topic)
        await emil.join(nodes.topic)
        await _both_nodes_hear_each_other(nodes)

        async def send(client: ChannelClient) -> None:
            for n in range(30):
                await client.ask(nodes.topic, "new_msg", {"body": str(n)})

        await asyncio.gather(send(maja), send(emil))
        for client in (maja, emil):
            received = [(await client.assert_broadcast(nodes.topic, "new_msg")).payload["seq"] for _ in range(60)]
            assert received == list(range(1, 61))


SECRETS = ("canary-body", "canary-edit", "canary-group", "canary-name", "👍", "maja", "Maja")


async def test_the_other_node_tells_its_clients_everything_but_no_content_crosses_the_broker(
    nodes: Nodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    crossed: list[Any] = []
    encode = broker._encode

    def recorded(messages: list[dict[str, Any]]) -> bytes:
        crossed.extend(messages)
        return encode(messages)

    monkeypatch.setattr(broker, "_encode", recorded)
    home, talks = nodes.one.home, nodes.one.talks
    group = f"message:group:{talks.group}"
    async with (
        nodes.one.connect(home.maja) as maja,
        nodes.one.http(home.maja) as http,
        nodes.other.connect(home.emil) as emil,
    ):
        for client, person in ((maja, home.maja), (emil, home.emil)):
            await client.join(nodes.topic, {"message_statuses": True})
            await client.join(f"user:{person.user_id}", {"last_messages": True})
        await _both_nodes_hear_each_other(nodes)
        user = f"user:{home.emil.user_id}"

        sent = (await maja.ask(nodes.topic, "new_msg", {"body": "canary-body"})).response
        await emil.assert_broadcast(nodes.topic, "new_msg", {"body": "canary-body"})
        await emil.assert_broadcast(user, "unread", {"conversation_id": talks.direct, "unread": 1})
        await maja.ask(nodes.topic, "edit_msg", {"message_id": sent["message_id"], "body": "canary-edit"})
        await emil.assert_broadcast(nodes.topic, "message_updated", {"body": "canary-edit", "change": 1})
        await maja.ask(nodes.topic, "react", {"message_id": sent["message_id"], "emoji": "👍"})
        await emil.assert_broadcast(nodes.topic, "message_updated", {"change": 2})
        await emil.ask(nodes.topic, "message_ack", {"seq": 1, "status": "read"})
        await maja.assert_broadcast(nodes.topic, "message_statuses")
        await maja.push(nodes.topic, "typing", {"typing": True})
        await emil.assert_broadcast(nodes.topic, "typing", {"user_id": home.maja.user_id})

        await maja.join(group)
        await maja.ask(group, "new_msg", {"body": "canary-body"})
        newest = await emil.assert_broadcast(user, "last_message", {"conversation_id": talks.group})
        assert newest.payload["message"]["body"] == "canary-body"
        renamed = await http.patch(f"/conversations/{talks.group}", json={"name": "canary-group"})
        assert renamed.status_code == 200
        updated = await emil.assert_broadcast(user, "conversation_updated")
        assert updated.payload["conversation"]["name"] == "canary-group"
        assert (await http.patch("/me", json={"display_name": "canary-name"})).status_code == 200
        changed = await emil.assert_broadcast(user, "person_updated")
        assert changed.payload["person"]["display_name"] == "canary-name"

    assert {message["kind"] for message in crossed} >= {"advanced", "unread_changed", "newest_changed", "user_changed"}
    assert [word for word in SECRETS if word in str(crossed)] == []


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


async def test_wrong_passwords_and_invitations_are_counted_for_all_nodes(
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
            elsewhere = await there.get("/invites/x")

    assert [each.status_code for each in right] == [429, 429]
    assert elsewhere.status_code == 429
