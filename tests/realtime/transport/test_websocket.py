"""WebSocket handshake, limits and termination."""

import asyncio
import base64
import json
import socket
import time
from typing import Any, cast

import pytest

from famichat.realtime import Limits
from famichat.realtime.serializer import V2, Encoded
from famichat.realtime.transport.byte_budget import ByteBudget
from famichat.realtime.transport.websocket import WebSocketProtocol
from famichat.telemetry.events import BinaryFrameDropped, ConnectionOpened, ConnectionRefused, Event, SlowConsumerClosed
from tests.support.channel_client import ChannelClient
from tests.support.raw_websocket import (
    BINARY,
    CLOSE,
    CONT,
    PING,
    TEXT,
    RawResponse,
    encode,
    raw_connection,
    raw_websocket,
)
from tests.support.room import House, Room, home

PATH = "/socket/websocket?vsn=2.0.0"


async def handshake(
    served: House, path: str = PATH, headers: dict[str, str | None] | None = None, *, method: str = "GET"
) -> RawResponse:
    async with raw_connection(served.server.host, served.server.port) as raw:
        return await raw.request(path, headers, method)


def offer(*tokens: str, phoenix: bool = True) -> str:
    entries = [f"base64url.bearer.phx.{base64.b64encode(token.encode()).decode().rstrip('=')}" for token in tokens]
    return ", ".join((["phoenix"] if phoenix else []) + entries)


# Rules 1 to 8


async def test_rule_1_other_methods_are_400_and_other_paths_404() -> None:
    async with home() as served:
        assert (await handshake(served, method="POST")).status == 400
        assert (await handshake(served, "/other/websocket")).status == 404
        assert (await handshake(served, "/socket/websocket/?vsn=2.0.0")).status == 101


@pytest.mark.parametrize(
    ("headers", "path", "status"),
    [
        ({"Origin": "https://evil.example", "Sec-WebSocket-Protocol": "nonsense"}, PATH, 403),
        ({"Sec-WebSocket-Protocol": "nonsense"}, PATH, 403),
        ({}, "/socket/websocket?vsn=7.0.0", 403),
        ({}, "/socket/websocket?vsn=2", 403),
        ({}, "/socket/websocket?vsn[a]=2.0.0", 403),
        ({}, PATH + "&token=nobody", 403),
        ({"Sec-WebSocket-Version": "8"}, PATH, 400),
        ({"Sec-WebSocket-Key": None}, PATH, 400),
        ({"Sec-WebSocket-Key": "short"}, PATH, 400),
        ({"Sec-WebSocket-Version": "8"}, PATH + "&token=nobody", 403),
        ({}, PATH + "&a=%ff", 400),
    ],
)
async def test_rule_2_the_upgrade_itself_is_checked_last(
    headers: dict[str, str | None], path: str, status: int
) -> None:
    async with home(check_origin=["https://good.example"]) as served:
        response = await handshake(served, path, headers)

        assert (response.status, response.body) == (status, b"")


async def test_rule_3_no_version_means_the_first() -> None:
    async with home() as served, raw_websocket(served.server.host, served.server.port, "/socket/websocket") as raw:
        raw.send(TEXT, b'{"topic":"phoenix","event":"heartbeat","payload":{},"ref":"1"}')

        assert json.loads((await raw.frame()).data)["event"] == "phx_reply"


async def test_rule_4_a_refusal_is_403_without_a_body_before_the_upgrade(emitted: list[Event]) -> None:
    async with home() as served:
        response = await handshake(served, PATH + "&token=nobody")

        assert (response.status, response.body) == (403, b"")
        assert "nobody" not in repr(emitted)


async def test_an_application_that_breaks_is_500_without_a_body(emitted: list[Event]) -> None:
    async with home() as served:
        response = await handshake(served, PATH + "&token=broken")

        assert (response.status, response.body) == (500, b"")
        assert "s3cr3t" not in repr(emitted)


async def test_rule_5_the_last_parameter_wins_and_brackets_nest() -> None:
    async with home() as served:
        await handshake(served, PATH + "&token=a&token=b&user[name]=ann")

        assert served.rooms.requests[0].params == {"vsn": "2.0.0", "token": "b", "user": {"name": "ann"}}
        assert served.rooms.requests[0].peer == "127.0.0.1"


@pytest.mark.parametrize(
    ("protocols", "status", "answered", "asked"),
    [
        (offer("ann?>~"), 101, "phoenix", ["ann?>~"]),
        (offer("ann?>~").replace("/", "_").replace("+", "-"), 101, "phoenix", ["ann?>~"]),
        (offer("ann", phoenix=False), 101, None, ["ann"]),
        (offer("ann", "ben"), 101, "phoenix", [None]),
        ("phoenix", 101, "phoenix", [None]),
        (None, 101, None, [None]),
        ("graphql", 403, None, []),
        ("phoenix, base64url.bearer.phx.!!!", 403, None, []),
        ("phoenix, base64url.bearer.phx.////", 403, None, []),
        (offer("nobody"), 403, None, ["nobody"]),
    ],
)
async def test_rule_6_a_token_may_come_as_a_subprotocol(
    protocols: str | None, status: int, answered: str | None, asked: list[str | None]
) -> None:
    async with home() as served:
        response = await handshake(served, headers={"Sec-WebSocket-Protocol": protocols})

        assert response.status == status
        assert response.headers.get("sec-websocket-protocol") == answered
        assert [request.token for request in served.rooms.requests] == asked


async def test_rule_7_the_origin_is_checked_against_the_request_by_default() -> None:
    async with home(check_origin="conn") as served:
        own = f"{served.server.host}:{served.server.port}"

        assert (await handshake(served, headers={"Host": own, "Origin": f"http://{own}"})).status == 101
        assert (await handshake(served, headers={"Host": own})).status == 101
        assert (await handshake(served, headers={"Host": own, "Origin": "http://evil.example"})).status == 403
        assert (await handshake(served, headers={"Host": own, "Origin": "null"})).status == 403


async def test_rule_8_compression_is_not_negotiated() -> None:
    async with home() as served:
        response = await handshake(served, headers={"Sec-WebSocket-Extensions": "permessage-deflate"})

        assert response.status == 101
        assert "sec-websocket-extensions" not in response.headers


async def test_a_token_is_not_shown_by_a_requests_repr() -> None:
    async with home() as served:
        await handshake(served, headers={"Sec-WebSocket-Protocol": offer("s3cr3t")})

        assert "s3cr3t" not in repr(served.rooms.requests[0]).replace(repr(served.rooms.requests[0].headers), "")


async def test_a_full_server_is_503() -> None:
    async with home(limits=Limits(max_connections=1)) as served, ChannelClient.connect(served.url):
        refused = await handshake(served)

    assert (refused.status, refused.headers["retry-after"]) == (503, "5")


async def test_a_handshake_that_takes_too_long_is_503_and_not_a_fault(emitted: list[Event]) -> None:
    async with home(limits=Limits(connect_timeout=0.01)) as served:
        refused = await handshake(served, PATH + "&token=slow")

    assert (refused.status, refused.headers["retry-after"]) == (503, "5")
    assert [each.reason for each in emitted if isinstance(each, ConnectionRefused)] == ["timeout"]


async def test_an_address_at_its_connection_limit_is_429(emitted: list[Event]) -> None:
    async with home(limits=Limits(max_per_address=1)) as served:
        async with ChannelClient.connect(served.url):
            assert (await handshake(served)).status == 429
        await served.until_connections(0)
        assert (await handshake(served)).status == 101

    assert [each.reason for each in emitted if isinstance(each, ConnectionRefused)] == ["crowded"]


# Rules 35 to 40: how it ends


async def test_rule_35_a_silent_client_is_closed_with_1002() -> None:
    async with (
        home(limits=Limits(idle_timeout=0.1)) as served,
        raw_websocket(served.server.host, served.server.port, PATH) as raw,
    ):
        raw.send(PING, b"any bytes count")
        await raw.frame()
        await raw.assert_closed(1002)


async def test_rule_36_a_frame_over_the_limit_closes_that_connection_with_1009() -> None:
    async with (
        home(limits=Limits(max_frame_bytes=1000)) as served,
        ChannelClient.connect(served.url) as neighbour,
        raw_websocket(served.server.host, served.server.port, PATH) as raw,
    ):
        await neighbour.join("room:1")
        frame = json.dumps(["1", "1", "phoenix", "heartbeat", {"fill": ""}])
        fitting = frame.replace('""', '"' + "x" * (1000 - len(frame)) + '"')
        raw.send(TEXT, fitting.encode())
        assert (await raw.frame()).opcode == TEXT
        raw.send(TEXT, fitting.encode() + b" ")
        await raw.assert_closed(1009)
        assert (await neighbour.ask("room:1", "echo")).status == "ok"


async def test_rule_36_the_limit_counts_a_fragmented_message_as_a_whole() -> None:
    async with (
        home(limits=Limits(max_frame_bytes=1000)) as served,
        raw_websocket(served.server.host, served.server.port, PATH) as raw,
    ):
        raw.send(TEXT, b"x" * 600, fin=False)
        raw.send(CONT, b"x" * 600)
        await raw.assert_closed(1009)


async def test_a_message_in_endless_fragments_is_closed_with_1009() -> None:
    async with (
        home(limits=Limits(max_fragments=100)) as served,
        raw_websocket(served.server.host, served.server.port, PATH) as raw,
    ):
        raw.send(TEXT, b"[", fin=False)
        for _ in range(200):
            raw.send(CONT, b"", fin=False)
        await raw.assert_closed(1009)


MALFORMED = {
    "no JSON": b"hello",
    "no array": b"{}",
    "four elements": b'["1","1","room:1","phx_join"]',
    "topic is a number": b'["1","1",1,"phx_join",{}]',
    "lone surrogate": rb'["1","1","room:1","echo",{"a":"\ud800"}]',
    "infinity": b'["1","1","room:1","echo",{"a":1e400}]',
    "NaN": b'["1","1","room:1","echo",{"a":NaN}]',
    "U+0000": rb'["1","1","room:\u0000","phx_join",{}]',
    "duplicate key": b'["1","1","room:1","echo",{"a":1,"a":2}]',
    "integer beyond 2^53": b'["1","1","room:1","echo",{"a":9007199254740993}]',
    "deep nesting": b'["1","1","room:1","echo",' + b"[" * 100_000 + b"]" * 100_000 + b"]",
    "nothing": b"",
}


@pytest.mark.parametrize("data", MALFORMED.values(), ids=MALFORMED.keys())
async def test_rules_37_and_53_a_malformed_frame_closes_that_connection_only_with_1011(data: bytes) -> None:
    async with home() as served, ChannelClient.connect(served.url) as neighbour:
        await neighbour.join("room:1")
        async with raw_websocket(served.server.host, served.server.port, PATH) as raw:
            raw.send(TEXT, data)
            await raw.assert_closed(1011)
        assert (await neighbour.ask("room:1", "shout")).status == "ok"


@pytest.mark.parametrize("data", [b"", b"\x00\x09", b'["1","1","room:1","echo",{}]', b"\x01\x00\x00\x00\x00"])
async def test_rules_16_and_37_a_malformed_binary_frame_closes_with_1011(data: bytes) -> None:
    async with home() as served, ChannelClient.connect(served.url) as client:
        await client.send_raw(data)

        assert await client.closed() == 1011


async def test_rule_38_a_disconnect_closes_every_connection_of_that_id_with_1001() -> None:
    async with (
        home() as served,
        ChannelClient.connect(served.url, "ann") as one,
        ChannelClient.connect(served.url, "ann") as two,
        ChannelClient.connect(served.url, "ben") as ben,
    ):
        await one.join("room:1")
        served.pubsub.disconnect("user:ann")

        assert await one.closed() == 1001
        assert await two.closed() == 1001
        assert [frame.event for frame in one.received] == ["phx_reply"]
        await ben.heartbeat()


async def test_rules_39_and_40_a_drain_closes_all_connections_with_1012_without_a_push() -> None:
    async with (
        home() as served,
        ChannelClient.connect(served.url) as talking,
        ChannelClient.connect(served.url) as silent,
    ):
        await talking.join("room:1")
        await served.endpoint.drain(batch=1, pause=0.01)

        assert (await talking.closed(), await silent.closed()) == (1012, 1012)
        assert [frame.event for frame in talking.received] == ["phx_reply"]
        assert (await handshake(served)).status == 503


async def test_rule_39_uvicorns_own_shutdown_closes_with_1012() -> None:
    async with home() as served, ChannelClient.connect(served.url) as client:
        served.websockets[0].shutdown()

        assert await client.closed() == 1012


async def test_a_client_that_does_not_answer_a_close_is_cut_off() -> None:
    async with (
        home(limits=Limits(close_timeout=0.1)) as served,
        raw_websocket(served.server.host, served.server.port, PATH) as raw,
    ):
        await served.endpoint.drain()
        assert (await raw.frame()).close_code == 1012
        await raw.assert_eof()


# Writing: once per turn, and within bounds


class Writes:
    """Counts what reaches the transports."""

    def __init__(self, served: House) -> None:
        self.sizes: list[int] = []
        for protocol in served.websockets:
            counted = cast("asyncio.Transport", _Counted(protocol._transport, self.sizes))
            protocol._transport = protocol._outbox._transport = counted


class _Counted:
    def __init__(self, transport: Any, sizes: list[int]) -> None:
        self._transport = transport
        self._sizes = sizes

    def write(self, data: bytes) -> None:
        self._sizes.append(len(data))
        self._transport.write(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


async def test_two_hundred_frames_of_one_turn_leave_in_one_write() -> None:
    async with home() as served, ChannelClient.connect(served.url) as client:
        await client.join("room:1")
        writes = Writes(served)
        for number in range(200):
            served.pubsub.broadcast("room:1", "shout", {"number": number})
        await client.assert_broadcast("room:1", "shout", {"number": 199})

        assert len(writes.sizes) == 1
        assert [frame.payload["number"] for frame in client.received if frame.event == "shout"] == list(range(200))


async def test_a_broadcast_is_encoded_once_for_each_serializer_version(monkeypatch: pytest.MonkeyPatch) -> None:
    encoded: list[object] = []
    original = V2.encode

    def counting(frame: Any) -> Encoded:
        encoded.append(frame)
        return original(frame)

    async with (
        home() as served,
        ChannelClient.connect(served.url) as one,
        ChannelClient.connect(served.url) as two,
        ChannelClient.connect(served.url, vsn="1.0.0") as old,
    ):
        for client in (one, two, old):
            await client.join("room:1")
        monkeypatch.setattr(V2, "encode", counting, raising=False)
        served.pubsub.broadcast("room:1", "shout", {"a": 1})
        for client in (one, two, old):
            await client.assert_broadcast("room:1", "shout", {"a": 1})

        assert len(encoded) == 1


async def test_a_burst_larger_than_the_queue_reaches_a_client_that_reads() -> None:
    limits = Limits(queue_frames=100, queue_bytes=10_000)
    async with home(limits=limits) as served, ChannelClient.connect(served.url) as client:
        await client.join("room:1")
        for number in range(500):
            served.pubsub.broadcast("room:1", "shout", {"number": number})
        await client.assert_broadcast("room:1", "shout", {"number": 499})


async def stuck_reader(served: House) -> socket.socket:
    """A client that joins and then never reads again."""
    loop = asyncio.get_running_loop()
    stuck = socket.socket()
    stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    stuck.setblocking(False)  # noqa: FBT003 - the method has no other way
    await loop.sock_connect(stuck, (served.server.host, served.server.port))
    key = base64.b64encode(b"x" * 16).decode()
    request = (
        f"GET {PATH} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    await loop.sock_sendall(stuck, request.encode())
    await loop.sock_recv(stuck, 4096)
    await loop.sock_sendall(stuck, encode(TEXT, b'["1","1","room:1","phx_join",{}]'))
    await loop.sock_recv(stuck, 4096)
    return stuck


async def test_a_stuck_reader_is_closed_and_other_clients_are_not_affected(emitted: list[Event]) -> None:
    limits = Limits(queue_frames=500, queue_bytes=500_000, close_timeout=0.2)
    async with home(limits=limits) as served, ChannelClient.connect(served.url) as neighbour:
        await neighbour.join("room:1")
        stuck = await stuck_reader(served)
        slowest = 0.0
        number = 0
        async with asyncio.timeout(20):
            while not any(isinstance(event, SlowConsumerClosed) for event in emitted):
                number += 1
                began = time.perf_counter()
                served.pubsub.broadcast("room:1", "shout", {"number": number, "fill": "x" * 10_000})
                await neighbour.assert_broadcast("room:1", "shout", {"number": number})
                slowest = max(slowest, time.perf_counter() - began)
        closed = next(event for event in emitted if isinstance(event, SlowConsumerClosed))
        await served.until_connections(1)
        await neighbour.heartbeat()
        stuck.close()

        assert closed.queued_bytes < 520_000
        assert slowest < 0.5
        assert served.left == ["gone"]


async def test_unread_frames_beyond_the_budget_close_the_slow_consumers_only(emitted: list[Event]) -> None:
    async with home(limits=Limits(close_timeout=0.1)) as served, ChannelClient.connect(served.url) as neighbour:
        budget = served.endpoint.byte_budget = ByteBudget(per_address_limit=400_000)
        await neighbour.join("room:1")
        stuck = [await stuck_reader(served) for _ in range(3)]
        most_held = number = 0
        async with asyncio.timeout(20):
            while len(served.websockets) > 1:
                number += 1
                served.pubsub.broadcast("room:1", "shout", {"number": number, "fill": "x" * 10_000})
                await neighbour.assert_broadcast("room:1", "shout", {"number": number})
                most_held = max(most_held, budget.total)
        await neighbour.heartbeat()
        for each in stuck:
            each.close()

        closed = [event for event in emitted if isinstance(event, SlowConsumerClosed)]
        assert len(closed) == 3
        assert sum(event.queued_bytes for event in closed) < 800_000, "not the budget, but the queues were full"
        assert 0 < most_held < 500_000
        assert budget.total == 0


async def test_a_slow_consumer_that_wakes_up_reads_4008() -> None:
    limits = Limits(queue_frames=50, queue_bytes=100_000)
    async with home(limits=limits) as served, ChannelClient.connect(served.url) as client:
        await client.join("room:1")
        protocol = served.websockets[0]
        protocol.pause_writing()
        for number in range(51):
            served.pubsub.broadcast("room:1", "shout", {"number": number})

        assert await client.closed() == 4008


async def test_one_frame_larger_than_the_queue_is_sent_all_the_same() -> None:
    limits = Limits(queue_bytes=1000)
    async with home(limits=limits) as served, ChannelClient.connect(served.url) as client:
        await client.join("room:1")
        protocol = served.websockets[0]
        protocol.pause_writing()
        served.pubsub.broadcast("room:1", "shout", {"fill": "x" * 100_000})
        protocol.resume_writing()
        await client.assert_broadcast("room:1", "shout")


async def test_a_client_that_does_not_read_its_answers_is_not_served_more() -> None:
    handled: list[str] = []

    class Counting(Room):
        async def handle_in(self, event: str, payload: Any) -> Any:
            handled.append(event)
            return await super().handle_in(event, payload)

    async with home(Counting) as served, ChannelClient.connect(served.url) as client:
        await client.join("room:1")
        protocol = served.websockets[0]
        protocol.pause_writing()
        refs = [await client.push("room:1", "echo", {}) for _ in range(5)]
        await asyncio.sleep(0.05)
        assert handled == []
        protocol.resume_writing()
        for ref in refs:
            await client.assert_reply(ref)


async def test_pings_from_someone_who_never_reads_end_in_a_cut(emitted: list[Event]) -> None:
    limits = Limits(queue_frames=100, queue_bytes=50_000, close_timeout=0.1)
    async with home(limits=limits) as served, raw_websocket(served.server.host, served.server.port, PATH) as raw:
        protocol = served.websockets[0]
        protocol.pause_writing()
        for _ in range(300):
            raw.send(PING, b"x" * 100)
        await served.until_connections(0)

        assert any(isinstance(event, SlowConsumerClosed) for event in emitted)


# Reading: not more than the channels can do


class Gated(Room):
    gate: asyncio.Event
    handled = 0

    async def handle_in(self, event: str, payload: Any) -> Any:
        await self.gate.wait()
        type(self).handled += 1
        return await super().handle_in(event, payload)


async def test_reading_pauses_while_the_channels_have_enough_to_do() -> None:
    Gated.gate = asyncio.Event()
    async with home(Gated, limits=Limits(inbox_frames=10)) as served, ChannelClient.connect(served.url) as client:
        await client.join("room:1")
        refs = [await client.push("room:1", "echo", {"fill": "x" * 1000}) for _ in range(2000)]
        protocol = served.websockets[0]
        async with asyncio.timeout(10):
            while load(protocol)[0]:  # noqa: ASYNC110 - the protocol has no event for it
                await asyncio.sleep(0.005)
        assert load(protocol)[1] < 1000
        Gated.gate.set()
        await client.assert_reply(refs[-1])
        assert load(protocol) == (True, 0)


def load(protocol: WebSocketProtocol) -> tuple[bool, int]:
    assert protocol._connection is not None
    return protocol._receiving, protocol._connection._waiting_frames


async def test_a_crashed_channel_leaves_nothing_to_do_behind() -> None:
    Gated.gate = asyncio.Event()
    async with home(Gated) as served, ChannelClient.connect(served.url) as client:
        await client.join("room:1")
        for event in ("crash", "echo", "echo"):
            await client.push("room:1", event)
        await client.heartbeat()
        assert load(served.websockets[0]) == (True, 3)
        Gated.gate.set()
        await client.assert_push("room:1", "phx_error")
        await served.until_left(1)
        await client.heartbeat()

        assert load(served.websockets[0]) == (True, 0)


async def test_the_connections_of_one_client_are_limited() -> None:
    async with home(limits=Limits(max_per_client=1)) as served:
        served.rooms.client = "ann"
        async with raw_websocket(served.server.host, served.server.port, PATH):
            async with raw_connection(served.server.host, served.server.port) as second:
                assert (await second.request(PATH)).status == 429
            served.rooms.client = "ben"
            async with raw_websocket(served.server.host, served.server.port, PATH):
                pass
        await served.until_connections(0)
        served.rooms.client = "ann"
        async with raw_websocket(served.server.host, served.server.port, PATH):
            pass


async def test_frames_that_come_too_early_wait_in_order() -> None:
    async with (
        home() as served,
        raw_websocket(served.server.host, served.server.port, PATH) as raw,
    ):
        served.rooms.waits = [0.01, 0.01, 0.0, 0.01]
        for ref in range(3):
            raw.send(TEXT, b'[null,"%d","phoenix","heartbeat",{}]' % ref)
        replies = [json.loads((await raw.frame()).data) for _ in range(3)]

        assert [ref for _, ref, *_ in replies] == ["0", "1", "2"]
        assert served.rooms.waits == []


async def test_incomplete_frames_beyond_the_budget_are_closed_with_1013() -> None:
    async with home() as served:
        served.endpoint.byte_budget = ByteBudget(per_address_limit=100_000)
        where = served.server.host, served.server.port, PATH
        incomplete = encode(BINARY, bytes(60_000))[:-1]
        async with raw_websocket(*where) as raw, raw_websocket(*where) as other:
            other.write(incomplete)
            async with asyncio.timeout(5):
                while served.endpoint.byte_budget.total < 59_000:  # noqa: ASYNC110 - the budget has no event for it
                    await asyncio.sleep(0.005)
            raw.write(incomplete)
            await raw.assert_closed(1013)
            other.writer.close()
            await served.until_connections(0)

            assert served.endpoint.byte_budget.total == 0


async def test_a_frame_that_is_never_complete_is_closed() -> None:
    async with (
        home(limits=Limits(frame_timeout=0.1, idle_timeout=0.2)) as served,
        raw_websocket(served.server.host, served.server.port, PATH) as raw,
    ):
        raw.write(encode(BINARY, bytes(1000))[:100])
        for _ in range(100):  # never idle
            raw.write(b"x")
            await asyncio.sleep(0.02)
            if raw.reader.at_eof() or not served.endpoint.connections:
                break

        assert not served.endpoint.connections


async def test_a_client_is_not_idle_while_it_is_we_who_do_not_read() -> None:
    Gated.gate = asyncio.Event()
    limits = Limits(inbox_frames=1, idle_timeout=0.1)
    async with home(Gated, limits=limits) as served, ChannelClient.connect(served.url) as client:
        await client.join("room:1")
        refs = [await client.push("room:1", "echo") for _ in range(3)]
        await asyncio.sleep(0.25)
        Gated.gate.set()
        await client.assert_reply(refs[-1])


# Binary


async def test_rule_15_bytes_go_through_in_both_directions() -> None:
    async with home() as served, ChannelClient.connect(served.url) as client:
        await client.join("room:1")
        data = bytes(range(256)) * 300

        assert (await client.ask("room:1", "echo", data)).response == data
        await client.push("room:1", "shout", data)
        await client.assert_broadcast("room:1", "shout", data)


async def test_rule_17_bytes_for_version_1_become_an_error_or_are_dropped(emitted: list[Event]) -> None:
    class Binary(Room):
        async def handle_in(self, event: str, payload: Any) -> Any:
            return await super().handle_in(event, b"bytes")

    async with home(Binary) as served, ChannelClient.connect(served.url, vsn="1.0.0") as client:
        await client.join("room:1")

        assert (await client.ask("room:1", "echo")).response == {"reason": "binary_unsupported"}
        assert (await client.ask("room:1", "shout")).status == "ok"
        await client.refute_broadcast("room:1", "shout")
        assert any(isinstance(event, BinaryFrameDropped) for event in emitted)


async def test_a_connection_is_reported_by_transport_and_version(emitted: list[Event]) -> None:
    async with home() as served, ChannelClient.connect(served.url, "s3cr3t"):
        assert ConnectionOpened(transport="websocket", vsn="2.0.0") in emitted
        assert "s3cr3t" not in repr(emitted)


async def test_a_client_that_closes_is_answered_with_its_own_code() -> None:
    async with home() as served, raw_websocket(served.server.host, served.server.port, PATH) as raw:
        raw.send(CLOSE, (3001).to_bytes(2, "big") + b"bye")
        await raw.assert_closed(3001)


async def test_an_open_connection_does_not_keep_its_request_which_contains_the_access_token() -> None:
    async with home() as served, ChannelClient.connect(served.url, "ann") as ann:
        await ann.join("room:1")
        [connection] = served.endpoint._connections
        parser = cast("Any", connection._transport)._ws.parser
        request = parser.gi_frame.f_locals["request"]

        assert (request.path, dict(request.headers)) == ("", {})
