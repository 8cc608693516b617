"""Two nodes over a real Redis, NATS and PostgreSQL, also while they go away and come back."""

import asyncio
import secrets
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

import nats
import psycopg
import pytest
from redis.asyncio import from_url

from famichat.realtime import broker
from famichat.realtime.broker import Broker, BrokerClient
from famichat.realtime.broker_envelope import BrokerEnvelope
from famichat.realtime.message import Broadcast
from famichat.realtime.nats_broker import NatsClient
from famichat.realtime.postgres_broker import PostgresClient
from famichat.realtime.pubsub import PubSub
from famichat.realtime.redis_broker import RedisClient
from famichat.telemetry.events import BrokerNoteIgnored, BrokerUnreachable, Event
from tests.realtime.test_pubsub import Listener
from tests.support.nats import NATS_SERVER, Nats
from tests.support.postgres import Postgres
from tests.support.redis import Redis
from tests.support.running import running
from tests.support.silent_proxy import SilentProxy

SECRET = secrets.token_urlsafe(32)


class Service(Protocol):
    """What connects the nodes."""

    port: int

    def client(self, namespace: str = "a", port: int | None = None) -> BrokerClient: ...
    async def send(self, data: bytes) -> None: ...
    async def cut(self) -> None: ...


class OverRedis:
    def __init__(self, redis: Redis) -> None:
        self._redis, self.port = redis, redis.port

    def client(self, namespace: str = "a", port: int | None = None) -> BrokerClient:
        return RedisClient(f"redis://127.0.0.1:{port or self.port}/0", namespace)

    async def send(self, data: bytes) -> None:
        async with from_url(self._redis.url) as stranger:
            await stranger.publish("famichat:a", data)

    async def cut(self) -> None:
        self._redis.kill()
        await asyncio.sleep(0.1)
        self._redis.start()


class OverNats:
    def __init__(self, server: Nats) -> None:
        self._server, self.port = server, server.port

    def client(self, namespace: str = "a", port: int | None = None) -> BrokerClient:
        return NatsClient(f"nats://127.0.0.1:{port or self.port}", namespace)

    async def send(self, data: bytes) -> None:
        stranger = await nats.connect(self._server.url)
        await stranger.publish("famichat.a", data)
        await stranger.close()

    async def cut(self) -> None:
        self._server.kill()
        await asyncio.sleep(0.1)
        self._server.start()


class Listening(PostgresClient):
    """Publishes on a direct connection, because psycopg needs ten seconds to give up a silent one."""

    def __init__(self, url: str, namespace: str, direct: str) -> None:
        super().__init__(url, namespace)
        self._direct = PostgresClient(direct, namespace)

    async def publish(self, messages: Sequence[bytes]) -> None:
        await self._direct.publish(messages)

    async def close(self) -> None:
        await super().close()
        await self._direct.close()


class OverPostgres:
    def __init__(self, postgres: Postgres) -> None:
        self._postgres, self.port = postgres, postgres.port

    def client(self, namespace: str = "a", port: int | None = None) -> BrokerClient:
        url = f"postgresql://famichat@127.0.0.1:{port or self.port}/postgres"
        return PostgresClient(url, namespace) if port is None else Listening(url, namespace, self._postgres.url())

    async def send(self, data: bytes) -> None:
        async with await psycopg.AsyncConnection.connect(self._postgres.url(), autocommit=True) as stranger:
            await stranger.execute("SELECT pg_notify('famichat_a', %s)", (data.decode("latin-1").replace("\0", "."),))

    async def cut(self) -> None:
        self._postgres.sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'famichat %'"
        )


@pytest.fixture(
    params=[
        pytest.param(
            "redis",
            marks=pytest.mark.skipif(shutil.which("redis-server") is None, reason="redis-server is not installed"),
        ),
        pytest.param("nats", marks=pytest.mark.skipif(NATS_SERVER is None, reason="nats-server is not installed")),
        "postgres",
    ]
)
def service(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Service]:
    if request.param == "postgres":
        yield OverPostgres(request.getfixturevalue("postgres"))
        return
    if request.param == "nats":
        nats_server = Nats()
        yield OverNats(nats_server)
        nats_server.kill()
        return
    server = Redis(tmp_path)
    yield OverRedis(server)
    server.kill()


def node(client: BrokerClient, namespace: str = "a") -> Broker:
    return Broker(client, BrokerEnvelope(SECRET, namespace))


async def until(true: Callable[[], bool]) -> None:
    while not true():  # noqa: ASYNC110 - the broker has no event for it
        await asyncio.sleep(0.01)


async def hears(pubsub: PubSub, listener: Listener, payload: dict[str, object] | bytes) -> None:
    """Broadcast until it is received, because a single message of the broker may be lost."""
    wanted = Broadcast("a", "e", payload)
    async with asyncio.timeout(10):
        while wanted not in listener.received:
            pubsub.broadcast("a", "e", payload)
            await asyncio.sleep(0.02)


async def test_nodes_hear_each_other_before_and_after_an_outage(service: Service, emitted: list[Event]) -> None:
    brokers = [node(service.client()) for _ in range(2)]
    here, there = (PubSub(each) for each in brokers)
    local, remote = Listener(), Listener()
    here.subscribe("a", local)
    there.subscribe("a", remote)
    async with running(*brokers):
        await hears(here, remote, {"n": 1})
        await hears(here, remote, b"\x00\xff")
        await hears(here, remote, {"long": "x" * 100_000})
        gaps: list[int] = []
        there.watch_gaps(lambda: gaps.append(1))
        await service.cut()
        here.broadcast("a", "e", {"n": 2})
        assert local.received[-1] == Broadcast("a", "e", {"n": 2})
        await hears(here, remote, {"n": 3})
        async with asyncio.timeout(10):
            await until(lambda: bool(gaps))

    assert any(isinstance(event, BrokerUnreachable) for event in emitted)


async def test_messages_of_one_node_arrive_in_order_and_together(service: Service) -> None:
    brokers = [node(service.client()) for _ in range(2)]
    here, there = (PubSub(each) for each in brokers)
    remote = Listener()
    there.subscribe("a", remote)
    async with running(*brokers):
        await hears(here, remote, {"n": -1})
        for number in range(1000):
            here.broadcast("a", "e", {"n": number})
        async with asyncio.timeout(10):
            await until(lambda: remote.received[-1].payload == {"n": 999})

    numbers = [each.payload["n"] for each in remote.received if isinstance(each.payload, dict)]
    assert [number for number in numbers if number >= 0] == list(range(1000))  # `hears` may broadcast -1 repeatedly


async def test_deployments_on_one_service_never_hear_each_other(service: Service) -> None:
    brokers = [node(service.client(name), name) for name in ("a", "a", "b")]
    here, same, other = (PubSub(each) for each in brokers)
    heard, never = Listener(), Listener()
    same.subscribe("a", heard)
    other.subscribe("a", never)
    async with running(*brokers):
        await hears(here, heard, {"n": 1})

    assert never.received == []


FOREIGN = [
    b"not json",
    b"\xff\x01",
    b'{"kind":"broadcast","topic":"a","event":"e","payload":{}}',
    b'{"kind":["x"]}',
    b"[" * 3000 + b"]" * 3000,
]


async def test_foreign_and_forged_messages_do_nothing_and_the_next_message_arrives(
    service: Service, emitted: list[Event]
) -> None:
    brokers = [node(service.client()) for _ in range(2)]
    here, there = (PubSub(each) for each in brokers)
    listener = Listener()
    here.subscribe("a", listener)
    async with running(*brokers):
        await hears(there, listener, {"n": 1})
        forger = BrokerEnvelope(SECRET[::-1], "a")
        for data in [*FOREIGN, *forger.seal(b'[{"kind":"disconnect","id":"x"}]', 6000)]:
            await service.send(data)
        await hears(there, listener, {"n": 2})

    assert {tuple(each.payload) for each in listener.received if isinstance(each.payload, dict)} == {("n",)}
    dropped = [event for event in emitted if isinstance(event, BrokerNoteIgnored)]
    assert len(dropped) >= len(FOREIGN) + 1
    assert {event.reason for event in dropped} <= {"malformed", "forged"}


async def test_a_node_whose_subscription_is_silent_reports_it_and_connects_again(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broker, "PROBE_SECONDS", 0.02)
    monkeypatch.setattr(broker, "DEAF_SECONDS", 0.3)
    monkeypatch.setattr("famichat.realtime.redis_broker.LISTEN_SECONDS", 0.1)  # also after which publishing fails
    monkeypatch.setattr("famichat.realtime.nats_broker._FLUSH_SECONDS", 0.1)
    async with SilentProxy(service.port) as proxy:
        silenced = node(service.client(port=int(proxy.url.rsplit(":", 1)[1])))
        async with running(silenced), asyncio.timeout(15):
            started_at = silenced._heard_at
            await until(lambda: silenced._heard_at > started_at)
            proxy.fall_silent()
            await until(lambda: not silenced.hearing)
            await until(lambda: silenced.hearing)


class Loopback:
    """A service in this process that records what is published, and can be unreachable."""

    max_bytes = 6000

    def __init__(self) -> None:
        self.published: list[bytes] = []
        self.received: asyncio.Queue[bytes] = asyncio.Queue()
        self.reachable = True

    async def subscribe(self) -> None:
        pass

    async def receive(self, seconds: float) -> Sequence[bytes]:
        return [await self.received.get()]

    async def unsubscribe(self) -> None:
        pass

    async def publish(self, messages: Sequence[bytes]) -> None:
        if not self.reachable:
            raise broker.BrokerUnreachable("Away")
        self.published += messages

    async def close(self) -> None:
        pass


async def test_publishing_fails_if_the_service_does_not_answer(
    monkeypatch: pytest.MonkeyPatch, emitted: list[Event]
) -> None:
    monkeypatch.setattr(broker, "LISTEN_SECONDS", 0.01)

    class Hanging(Loopback):
        async def publish(self, messages: Sequence[bytes]) -> None:
            await asyncio.Event().wait()

    async with running(node(Hanging())), asyncio.timeout(5):
        await until(lambda: any(isinstance(event, BrokerUnreachable) for event in emitted))


@pytest.fixture
def loopback() -> Loopback:
    return Loopback()


async def test_a_node_that_is_alone_publishes_only_probes(loopback: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broker, "_PEER_SECONDS", 0.0)
    alone = node(loopback)
    pubsub = PubSub(alone)
    async with running(alone):
        await until(lambda: bool(loopback.published))
        pubsub.broadcast("a", "e", {})

    reader = BrokerEnvelope(SECRET, "a")
    assert {reader.open(sealed).body for sealed in loopback.published} == {b'[{"kind":"probe"}]'}
    assert not pubsub.has_peers


async def test_a_node_that_hears_of_another_one_asks_it_to_look_for_what_it_missed(loopback: Loopback) -> None:
    here, other = node(loopback), BrokerEnvelope(SECRET, "a")
    async with running(here):
        await until(lambda: bool(loopback.published))
        loopback.published.clear()
        loopback.received.put_nowait(*other.seal(b'[{"kind":"probe"}]', 6000))
        await until(lambda: bool(loopback.published))

    assert other.open(loopback.published[0]).body == b'[{"kind":"hello"}]'


async def test_messages_wait_while_the_service_is_unreachable_and_the_oldest_are_dropped(loopback: Loopback) -> None:
    loopback.reachable = False
    here = node(loopback)
    pubsub, listener = PubSub(here), Listener()
    pubsub.subscribe("a", listener)
    async with running(here):
        for number in range(20_000):
            pubsub.broadcast("a", "e", {"n": number})
        pubsub.publish("advanced", {"seq": 1}, "a")
        pubsub.publish("advanced", {"seq": 2}, "a")
        await asyncio.sleep(0.01)
        assert len(here._waiting) == 10_000
        waiting = [message for message in here._waiting.values() if message["kind"] == "advanced"]
        assert waiting == [{"kind": "advanced", "seq": 2}]
        loopback.reachable = True
        async with asyncio.timeout(10):
            await until(lambda: not here._waiting)

    assert len(listener.received) == 20_000
