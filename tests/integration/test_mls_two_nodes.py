"""MLS groups on two servers with one PostgreSQL: epochs on the other node, and races between the nodes."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from sqlalchemy.orm import Session

from famichat.chat.records.conversation import Conversation
from famichat.e2ee.key_package import claim_key_packages
from famichat.storage.base import new_id
from famichat.storage.database import Database
from tests.factories.people import Person
from tests.support.app import RunningApp, running_app, served
from tests.support.channel_client import ChannelClient
from tests.support.mls import MlsDevice, MlsGroupModel, b64, commit_json, encrypted_message, published
from tests.support.nats import NATS_SERVER, Nats
from tests.support.postgres import Postgres
from tests.support.redis import Redis

COMMITS = 50


class Nodes:
    """Two nodes, and the devices of Maja, Emil and Inga, whose group must be encrypted.

    Attributes:
        one: the node of Maja.
        other: the node of Emil.
        devices: by user name.
    """

    def __init__(self, one: RunningApp, other: RunningApp) -> None:
        self.one, self.other, self.group_id = one, other, one.talks.group
        self.path, self.topic = f"/conversations/{self.group_id}/mls", f"message:group:{self.group_id}"
        self._database = Database(one.settings.effective_database_url)
        self.devices = self._database.run(self._publish)

    def packages(self, *names: str) -> list[tuple[MlsDevice, bytes]]:
        """The key packages that the server gives out for these people's devices."""
        ids = {name: self.devices[name].device_id for name in names}
        claimed = self._database.run(lambda session: claim_key_packages(session, self.group_id, list(ids.values())))
        return [(self.devices[name], claimed[id_].body) for name, id_ in ids.items()]

    def close(self) -> None:
        self._database.close()

    def _publish(self, session: Session) -> dict[str, MlsDevice]:
        session.get_one(Conversation, self.group_id).encryption_required = True
        home = self.one.home
        return {who.username: published(session, who) for who in (home.maja, home.emil, home.inga)}


@pytest.fixture
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[dict[str, str]]:
    """The setting of the broker: none for PostgreSQL, or the service that the test names."""
    service = getattr(request, "param", "postgres")
    if service == "postgres":
        yield {}
        return
    if service == "nats" and NATS_SERVER is None:
        pytest.skip("Debian's nats-server is not installed")
    server = Redis(tmp_path) if service == "redis" else Nats()
    yield {"pubsub_url": server.url}
    server.kill()


@pytest.fixture
async def nodes(
    postgres: Postgres, migrated_postgres: str, tmp_path: Path, broker: dict[str, str]
) -> AsyncIterator[Nodes]:
    url = postgres.create(f"test_{new_id()}", migrated_postgres)
    async with running_app(url, tmp_path, **broker) as one:
        second = one.settings.model_copy(update={"data_dir": tmp_path / "other"})
        async with served(second) as ready:
            both = Nodes(one, replace(one, url=ready.url, settings=second))
            yield both
            both.close()


async def connected(stack: AsyncExitStack, node: RunningApp, who: Person) -> tuple[ChannelClient, httpx.AsyncClient]:
    client = await stack.enter_async_context(node.connect(who))
    return client, await stack.enter_async_context(node.http(who))


@pytest.mark.parametrize("broker", ["postgres", "redis", "nats"], indirect=True)
async def test_a_commit_on_one_node_begins_the_epoch_on_the_other(nodes: Nodes) -> None:
    home = nodes.one.home
    async with AsyncExitStack() as stack:
        maja, maja_http = await connected(stack, nodes.one, home.maja)
        emil, emil_http = await connected(stack, nodes.other, home.emil)
        await maja.join(nodes.topic)
        await emil.join(nodes.topic)
        await emil.join(f"user:{home.emil.user_id}")
        model = MlsGroupModel(nodes.devices["maja"])
        creation = model.commit(nodes.devices["maja"], add=nodes.packages("emil", "inga"))

        assert (await maja_http.post(nodes.path, json=commit_json(creation))).status_code == 201
        announced = (await emil.assert_broadcast(nodes.topic, "epoch_changed")).payload
        assert (announced["generation"], announced["epoch"], announced["commit"]) == (0, 1, None)
        await emil.assert_broadcast(f"user:{home.emil.user_id}", "welcome", {"conversation_id": nodes.group_id})
        updated = await emil.assert_broadcast(f"user:{home.emil.user_id}", "conversation_updated")
        assert updated.payload["conversation"]["mls"] == {"generation": 0, "epoch": 1}
        page = await emil_http.get(f"{nodes.path}/commits", params={"generation": 0, "after_epoch": 0})
        assert [each["commit"] for each in page.json()["commits"]] == [b64(creation.commit)]

        assert (await emil.ask(nodes.topic, "new_msg", encrypted_message("0:1"))).status == "ok"
        received = (await maja.assert_broadcast(nodes.topic, "new_msg")).payload
        assert (received["key_id"], received["seq"]) == ("0:1", 1)


async def test_of_fifty_commits_on_two_nodes_one_is_accepted(nodes: Nodes) -> None:
    home = nodes.one.home
    async with AsyncExitStack() as stack:
        clients = {
            "maja": await connected(stack, nodes.one, home.maja),
            "emil": await connected(stack, nodes.other, home.emil),
        }
        for client, _ in clients.values():
            await client.join(nodes.topic)
        models = {name: MlsGroupModel(nodes.devices[name]) for name in clients}
        creations = {
            name: model.commit(nodes.devices[name], add=nodes.packages(*({"maja", "emil", "inga"} - {name})))
            for name, model in models.items()
        }

        created = await asyncio.gather(
            *(http.post(nodes.path, json=commit_json(creations[name])) for name, (_, http) in clients.items())
        )
        [winner] = [name for name, each in zip(clients, created, strict=True) if each.status_code == 201]
        assert sorted(each.status_code for each in created) == [201, 409]
        models[winner].advance()
        replies = await asyncio.gather(
            *(
                http.post(f"{nodes.path}/commits", json=commit_json(models[winner].commit(nodes.devices[name])))
                for name, (_, http) in clients.items()
                for _ in range(COMMITS // len(clients))
            )
        )

        assert Counter(each.status_code for each in replies) == {201: 1, 409: COMMITS - 1}
        assert {each.json()["code"] for each in replies if each.status_code == 409} == {"epoch_changed"}
        for client, http in clients.values():
            assert (await http.get(nodes.path)).json()["epoch"] == 2
            announced = {(await client.assert_broadcast(nodes.topic, "epoch_changed")).payload["epoch"] for _ in "12"}
            assert announced == {1, 2}
            await client.refute_broadcast(nodes.topic, "epoch_changed")
