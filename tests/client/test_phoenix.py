"""One socket: refs, replies, channels and the heartbeat, against servers that answer what a test wants."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve

from famichat.client import Disconnected, Refused
from famichat.client.phoenix import MAX_EVENTS, Socket, auth_subprotocols, socket_url

Frame = list[Any]
Answer = Callable[[ServerConnection, Frame], Awaitable[None]]
TOPIC = "message:group:1"


async def reply(server: ServerConnection, frame: Frame, response: Any = None, status: str = "ok") -> None:
    join_ref, ref, topic, _, _ = frame
    payload = {"status": status, "response": {} if response is None else response}
    await server.send(json.dumps([join_ref, ref, topic, "phx_reply", payload]))


@asynccontextmanager
async def served(answer: Answer, **options: Any) -> AsyncIterator[Socket]:
    """A socket whose server deals with each frame by `answer`."""

    async def handle(server: ServerConnection) -> None:
        async for data in server:
            await answer(server, json.loads(data))

    async with serve(handle, "127.0.0.1", 0) as listening:
        port = next(iter(listening.sockets)).getsockname()[1]
        async with await Socket.open(socket_url(f"http://127.0.0.1:{port}"), "a token", **options) as socket:
            yield socket


async def always_ok(server: ServerConnection, frame: Frame) -> None:
    await reply(server, frame, {"event": frame[3]})


def test_the_address_and_the_token_are_what_phoenix_expects() -> None:
    assert socket_url("https://chat.example.org") == "wss://chat.example.org/socket/websocket"
    assert auth_subprotocols("a?>b") == ["phoenix", "base64url.bearer.phx.YT8+Yg"]


async def test_replies_find_their_requests_in_any_order() -> None:
    waiting: list[Frame] = []

    async def backwards(server: ServerConnection, frame: Frame) -> None:
        waiting.append(frame)
        if frame[3] == "phx_join" or len(waiting) == 4:
            while waiting:
                latest = waiting.pop()
                await reply(server, latest, latest[4])

    async with served(backwards) as socket:
        channel = socket.channel(TOPIC)
        await channel.join({})
        replies = await asyncio.gather(*(channel.push("new_msg", {"n": n}) for n in range(4)))

    assert replies == [{"n": n} for n in range(4)]


async def test_a_refusal_carries_the_code_and_the_details() -> None:
    async def refuse(server: ServerConnection, frame: Frame) -> None:
        answer = {"reason": "rate_limited", "retry_in_ms": 250, "details": {"retry_in_ms": 250}}
        await reply(server, frame, answer, "error")

    async with served(refuse) as socket:
        channel = socket.channel(TOPIC)
        with pytest.raises(Refused) as refused:
            await channel.join({})

    assert (refused.value.code, refused.value.retry_in, refused.value.is_transient) == ("rate_limited", 0.25, True)
    assert channel.is_ended


async def test_events_of_other_topics_and_of_an_earlier_join_are_dropped() -> None:
    async def push(server: ServerConnection, frame: Frame) -> None:
        await reply(server, frame)
        for join_ref, topic, name in (
            ("0", TOPIC, "old"),
            (None, "message:group:2", "other"),
            ("0", TOPIC, "phx_close"),
            (None, TOPIC, "broadcast"),
            (frame[0], TOPIC, "push"),
        ):
            await server.send(json.dumps([join_ref, None, topic, name, {}]))

    async with served(push) as socket:
        channel = socket.channel(TOPIC)
        await channel.join({})
        events = [await anext(channel) for _ in range(2)]

    assert events == [("broadcast", {}), ("push", {})]


@pytest.mark.parametrize("event", ["phx_close", "phx_error"])
async def test_a_channel_that_the_server_ends_leaves_the_socket_open(event: str) -> None:
    async def end(server: ServerConnection, frame: Frame) -> None:
        await reply(server, frame)
        if frame[2] == TOPIC:
            await server.send(json.dumps([frame[0], frame[0], TOPIC, event, {}]))

    async with served(end) as socket:
        channel, other = socket.channel(TOPIC), socket.channel("message:group:2")
        await channel.join({})
        await other.join({})
        with pytest.raises(Disconnected, match=event):
            await anext(channel)
        with pytest.raises(Disconnected):
            await channel.push("new_msg", {})
        assert not socket.is_closed
        assert not other.is_ended


async def test_a_channel_without_a_reader_ends_when_its_queue_is_full() -> None:
    async def flood(server: ServerConnection, frame: Frame) -> None:
        await reply(server, frame)
        for number in range(MAX_EVENTS + 10):
            await server.send(json.dumps([None, None, TOPIC, "new_msg", {"seq": number}]))

    async with served(flood) as socket:
        channel = socket.channel(TOPIC)
        await channel.join({})
        await channel.wait_ended()
        seqs = [(await anext(channel))[1]["seq"] for _ in range(MAX_EVENTS)]
        with pytest.raises(Disconnected):
            await anext(channel)

    assert seqs == list(range(MAX_EVENTS))


async def test_a_push_without_a_reply_is_given_up() -> None:
    async def only_joins(server: ServerConnection, frame: Frame) -> None:
        if frame[3] == "phx_join":
            await reply(server, frame)

    async with served(only_joins) as socket:
        channel = socket.channel(TOPIC)
        await channel.join({})
        with pytest.raises(Disconnected, match="no reply"):
            await channel.push("new_msg", {}, timeout=0.05)
        assert not socket._replies


async def test_a_closed_connection_ends_pushes_and_channels() -> None:
    async def close(server: ServerConnection, frame: Frame) -> None:
        if frame[3] == "phx_join":
            await reply(server, frame)
        else:
            await server.close(1012)

    async with served(close) as socket:
        channel = socket.channel(TOPIC)
        await channel.join({})
        with pytest.raises(Disconnected):
            await channel.push("new_msg", {})
        with pytest.raises(Disconnected):
            await anext(channel)
        with pytest.raises(Disconnected):
            await channel.cast("typing", {})
        with pytest.raises(Disconnected):
            await socket.channel(TOPIC).join({})

        assert socket.close_code == channel.close_code == 1012


async def test_a_heartbeat_without_a_reply_closes_the_connection() -> None:
    async def only_joins(server: ServerConnection, frame: Frame) -> None:
        if frame[3] == "phx_join":
            await reply(server, frame)

    async with served(only_joins, heartbeat=0.05) as socket:
        channel = socket.channel(TOPIC)
        await channel.join({})
        with pytest.raises(Disconnected):
            async with asyncio.timeout(5):
                await anext(channel)


async def test_heartbeats_are_sent_and_keep_the_connection() -> None:
    beats: list[Frame] = []

    async def count(server: ServerConnection, frame: Frame) -> None:
        beats.append(frame)
        await reply(server, frame)

    async with served(count, heartbeat=0.02) as socket:
        async with asyncio.timeout(5):
            while len(beats) < 3:  # noqa: ASYNC110 - the server has no event for it
                await asyncio.sleep(0.01)
        assert not socket.is_closed

    assert {tuple(frame[i] for i in (0, 2, 3)) for frame in beats} == {(None, "phoenix", "heartbeat")}


async def test_a_malformed_frame_closes_the_connection() -> None:
    async def nonsense(server: ServerConnection, frame: Frame) -> None:
        await server.send("{nonsense")

    async with served(nonsense) as socket:
        with pytest.raises(Disconnected):
            await socket.channel(TOPIC).join({})


async def test_leaving_ends_the_channel() -> None:
    async with served(always_ok) as socket:
        channel = socket.channel(TOPIC)
        await channel.join({})
        await channel.leave()

        assert channel.is_ended
        assert not socket.is_closed


async def test_a_cancelled_push_leaves_nothing_behind() -> None:
    async def only_joins(server: ServerConnection, frame: Frame) -> None:
        if frame[3] == "phx_join":
            await reply(server, frame)

    async with served(only_joins) as socket:
        channel = socket.channel(TOPIC)
        await channel.join({})
        pushing = asyncio.create_task(channel.push("new_msg", {}))
        await asyncio.sleep(0.01)
        pushing.cancel()
        await asyncio.gather(pushing, return_exceptions=True)

        assert not socket._replies
        assert not channel.is_ended
