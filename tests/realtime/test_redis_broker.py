"""Two nodes over a real Redis, also while it goes away and comes back."""

import asyncio
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from redis.asyncio import from_url

from famichat.realtime import redis_broker
from famichat.realtime.message import Broadcast
from famichat.realtime.pubsub import PubSub
from famichat.realtime.redis_broker import RedisBroker
from famichat.telemetry.events import BrokerNoteIgnored, BrokerUnreachable, Event
from tests.realtime.test_pubsub import Listener
from tests.support.redis import Redis
from tests.support.running import running
from tests.support.silent_proxy import SilentProxy

pytestmark = pytest.mark.skipif(shutil.which("redis-server") is None, reason="Debian's redis-server is not installed")


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[Redis]:
    server = Redis(tmp_path)
    yield server
    server.kill()


async def _until(true: Callable[[], bool]) -> None:
    while not true():  # noqa: ASYNC110 - the broker has no event for it
        await asyncio.sleep(0.01)


async def hears(pubsub: PubSub, listener: Listener, payload: dict[str, int] | bytes) -> None:
    """Broadcast until it is received, because a single message of the broker may be lost."""
    wanted = Broadcast("a", "e", payload)
    async with asyncio.timeout(10):
        while wanted not in listener.received:
            pubsub.broadcast("a", "e", payload)
            await asyncio.sleep(0.02)


async def test_nodes_hear_each_other_before_and_after_an_outage(redis: Redis, emitted: list[Event]) -> None:
    brokers = [RedisBroker(redis.url) for _ in range(2)]
    here, there = (PubSub(broker) for broker in brokers)
    local, remote = Listener(), Listener()
    here.subscribe("a", local)
    there.subscribe("a", remote)
    async with running(*brokers):
        await hears(here, remote, {"n": 1})
        await hears(here, remote, b"\x00\xff")
        redis.kill()
        await asyncio.sleep(0.1)
        here.broadcast("a", "e", {"n": 2})
        assert local.received[-1] == Broadcast("a", "e", {"n": 2})
        redis.start()
        await hears(here, remote, {"n": 3})

    assert any(isinstance(event, BrokerUnreachable) for event in emitted)
    assert [received for received in local.received if received.payload == {"n": 2}] == [Broadcast("a", "e", {"n": 2})]


async def test_an_unreachable_broker_does_not_affect_the_node() -> None:
    broker = RedisBroker("redis://127.0.0.1:1/0")
    pubsub, listener = PubSub(broker), Listener()
    pubsub.subscribe("a", listener)
    async with running(broker):
        for number in range(20_000):
            pubsub.broadcast("a", "e", {"n": number})
        await asyncio.sleep(0.05)

    assert len(listener.received) == 20_000
    assert len(broker._waiting) <= 10_000


FOREIGN = [
    b"not json",
    b"\xff\x00",
    b"[1]",
    b'{"kind":"broadcast"}',
    b'{"kind":"broadcast","bytes":"!"}',
    b"{}",
    b'{"bytes":5}',
    b'{"kind":["x"]}',
    b'{"kind":"probe","from":{}}',
    b"[" * 5000 + b"]" * 5000,
]


async def test_foreign_messages_on_the_channel_are_dropped_and_the_next_message_arrives(
    redis: Redis, emitted: list[Event]
) -> None:
    broker, other = RedisBroker(redis.url), RedisBroker(redis.url)
    pubsub, listener = PubSub(broker), Listener()
    pubsub.subscribe("a", listener)
    async with running(broker, other):
        await hears(PubSub(other), listener, {"n": 1})
        async with from_url(redis.url) as stranger:
            for foreign in FOREIGN:
                await stranger.publish("famichat", foreign)
        await hears(PubSub(other), listener, {"n": 2})

    dropped = [event for event in emitted if isinstance(event, BrokerNoteIgnored)]
    assert len(dropped) >= len(FOREIGN) - 1  # a probe of another node is no fault
    assert {event.reason for event in dropped} == {"malformed", "unknown_kind", "invalid"}


async def test_a_node_whose_subscription_is_silent_reports_it_and_connects_again(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_broker, "PROBE_SECONDS", 0.02)
    monkeypatch.setattr(redis_broker, "DEAF_SECONDS", 0.3)
    monkeypatch.setattr(redis_broker, "_LISTEN_SECONDS", 0.1)  # also after how long a publication fails
    async with SilentProxy(redis.port) as proxy:
        broker = RedisBroker(proxy.url.replace("http", "redis"))
        async with running(broker), asyncio.timeout(10):
            started_at = broker._heard_at
            await _until(lambda: broker._heard_at > started_at)
            proxy.fall_silent()
            await _until(lambda: not broker.hearing)
            await _until(lambda: broker.hearing)
