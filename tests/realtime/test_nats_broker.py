"""What is special about NATS; `test_broker.py` tests what the client carries."""

import asyncio
from typing import Any

import pytest
from nats.errors import SlowConsumerError

from famichat.realtime.broker import BrokerUnreachable
from famichat.realtime.nats_broker import NatsClient, listening_nodes
from tests.support.nats import NATS_SERVER, Nats


def test_a_nats_that_is_away_is_reported_by_the_name_of_the_error() -> None:
    with pytest.raises(ConnectionError, match="NoServersError"):
        listening_nodes("nats://127.0.0.1:1")


@pytest.mark.skipif(NATS_SERVER is None, reason="nats-server is not installed")
async def test_a_node_that_reads_too_slowly_subscribes_again_because_it_missed_messages() -> None:
    server = Nats()
    client = NatsClient(server.url, "a")
    try:
        async with asyncio.timeout(10):
            await client.subscribe()
            await client.publish([b"one"])
            assert await client.receive(5) == [b"one"]
            assert client._subscription is not None
            dropped_from: Any = None
            await client._subscription._failed(SlowConsumerError("famichat.a", "", 1, dropped_from))
            with pytest.raises(BrokerUnreachable, match="SlowConsumerError"):
                await client.receive(5)
    finally:
        await client.close()
        server.kill()
