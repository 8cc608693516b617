"""Two nodes over a real Redis, also while it goes away and comes back."""

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from famichat.realtime.message import Broadcast
from famichat.realtime.pubsub import PubSub
from famichat.realtime.redis_broker import RedisBroker
from famichat.telemetry.events import BrokerUnreachable, Event
from tests.realtime.test_pubsub import Listener
from tests.support.redis import Redis
from tests.support.running import running

pytestmark = pytest.mark.skipif(shutil.which("redis-server") is None, reason="Debian's redis-server is not installed")


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[Redis]:
    server = Redis(tmp_path)
    yield server
    server.kill()


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


async def test_foreign_messages_on_the_channel_are_ignored(redis: Redis) -> None:
    broker = RedisBroker(redis.url)
    pubsub, listener = PubSub(broker), Listener()
    pubsub.subscribe("a", listener)
    async with running(broker):
        for foreign in (
            b"not json",
            b"[1]",
            b'{"kind":"broadcast"}',
            b'{"kind":"broadcast","bytes":"!"}',
            b"{}",
            b'{"bytes":5}',
            b'{"kind":["x"]}',
        ):
            broker._on_message(foreign)
        broker._on_message(b'{"kind":"broadcast","topic":"a","event":"e","payload":{}}')

    assert listener.received == [Broadcast("a", "e", {})]
