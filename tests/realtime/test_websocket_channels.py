"""A real client on a real server, modelled on Phoenix's integration tests of channels."""

from collections.abc import AsyncIterator

import pytest

from tests.conformance.server import build
from tests.support.channel_client import ChannelClient
from tests.support.realtime_server import RunningServer, running_server


@pytest.fixture
async def server() -> AsyncIterator[RunningServer]:
    endpoint, _ = build()
    async with running_server(endpoint) as running:
        yield running


async def test_join_leave_and_messages(server: RunningServer) -> None:
    async with ChannelClient.connect(server.socket_url, "good") as client:
        assert await client.join("message:lobby") == {}
        ref = await client.push("message:lobby", "new_msg", {"body": "hi"})
        await client.assert_reply(ref, "ok")
        await client.assert_broadcast("message:lobby", "new_msg", {"body": "hi"})
        await client.leave("message:lobby")
        await client.assert_push("message:lobby", "phx_close")
        await client.heartbeat()
