"""Clients that send too little or too much, on a real connection."""

import asyncio
import gc
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from famichat.endpoint.http.server_protocol import HttpProtocol
from famichat.realtime.transport.byte_budget import ByteBudget
from famichat.telemetry import events
from famichat.telemetry.events import Event
from tests.support.app import RunningApp, running_app

pytestmark = pytest.mark.asyncio(loop_scope="module")

REQUEST = b"GET /healthz HTTP/1.1\r\nHost: x\r\n"


class Line:
    """A connection to the server."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def say(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def dribble(self, data: bytes, times: int) -> None:
        for _ in range(times):
            await self.say(data)
            await asyncio.sleep(0.05)

    async def received(self) -> bytes:
        """Return everything that the server sends until it disconnects."""
        async with asyncio.timeout(5):
            return await self.reader.read()

    async def answer(self) -> bytes:
        """Return the head of the next response."""
        async with asyncio.timeout(5):
            return await self.reader.readuntil(b"\r\n\r\n")


async def _is_let_in(app: RunningApp) -> bool:
    async with line(app) as next_one:
        await next_one.say(REQUEST + b"\r\n")
        return (await next_one.answer()).startswith(b"HTTP/1.1 200 ")


@asynccontextmanager
async def line(app: RunningApp, local_address: str = "127.0.0.1") -> AsyncIterator[Line]:
    where = urlsplit(app.url)
    reader, writer = await asyncio.open_connection(where.hostname, where.port, local_addr=(local_address, 0))
    try:
        yield Line(reader, writer)
    finally:
        writer.close()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(HttpProtocol, "head_seconds", 0.2)
    monkeypatch.setattr(HttpProtocol, "request_seconds", 0.4)


async def test_a_silent_client_is_disconnected(shared_app: RunningApp, impatient: None) -> None:
    async with line(shared_app) as silent:
        assert await silent.received() == b""


async def test_an_incomplete_request_head_gets_an_error(shared_app: RunningApp, impatient: None) -> None:
    async with line(shared_app) as slow:
        await slow.say(REQUEST)

        assert (await slow.received()).startswith(b"HTTP/1.1 408 ")


async def test_a_slow_client_gets_no_additional_time(shared_app: RunningApp, impatient: None) -> None:
    async with line(shared_app) as slow:
        with pytest.raises(ConnectionError):
            await slow.dribble(b"\r\n", times=60)


async def test_the_second_request_on_a_connection_gets_no_more_time(shared_app: RunningApp, impatient: None) -> None:
    async with line(shared_app) as slow:
        await slow.say(REQUEST + b"\r\n")
        assert (await slow.answer()).startswith(b"HTTP/1.1 200 ")
        await slow.say(REQUEST)

        assert b"HTTP/1.1 408 " in await slow.received()


async def test_a_client_with_an_incomplete_body_is_disconnected(shared_app: RunningApp, impatient: None) -> None:
    async with line(shared_app) as slow:
        head = b"POST /api/v1/sessions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        await slow.say(head + b'Content-Length: 10\r\n\r\n{"')

        assert await slow.received() == b""


@pytest.mark.parametrize(
    ("begin", "more"),
    [
        (b"GET /", b"a" * 1024),
        (b"GET / HTTP/1.1\r\nA: ", b"a" * 1024),
        (b"GET / HTTP/1.1\r\n", b"A: b\r\n" * 200),
    ],
)
async def test_an_endless_request_head_is_refused(shared_app: RunningApp, begin: bytes, more: bytes) -> None:
    async with line(shared_app) as talker:
        await talker.say(begin)
        for _ in range(HttpProtocol.head_bytes // len(more)):
            await talker.say(more)
        assert not talker.reader.at_eof()
        await talker.say(more)

        assert (await talker.answer()).startswith(b"HTTP/1.1 431 ")


async def test_the_connections_per_address_are_limited(migrated_sqlite: Path, tmp_path: Path) -> None:
    shutil.copy(migrated_sqlite, tmp_path / "famichat.db")
    url = f"sqlite:///{tmp_path / 'famichat.db'}"
    async with running_app(url, tmp_path, connections_per_address=2) as app, line(app), line(app) as silent:
        async with line(app) as one_too_many:
            assert (await one_too_many.received()).startswith(b"HTTP/1.1 429 ")
        async with line(app, "127.0.0.9") as from_elsewhere:
            await from_elsewhere.say(REQUEST + b"\r\n")
            assert (await from_elsewhere.answer()).startswith(b"HTTP/1.1 200 ")
        silent.writer.close()
        async with asyncio.timeout(10):
            while not await _is_let_in(app):  # noqa: ASYNC110 - until the server has noticed the disconnect
                await asyncio.sleep(0.02)


async def _until_slow_consumer_closed(app: RunningApp, emitted: list[Event]) -> None:
    """Request much, read nothing, and wait until the server disconnects the client."""
    async with line(app) as deaf, asyncio.timeout(20):
        deaf.writer.transport.pause_reading()  # type: ignore[attr-defined]  # asyncio's transports of sockets have it
        await deaf.say(b"GET /api/openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * 100)
        while not any(isinstance(event, events.SlowConsumerClosed) for event in emitted):  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.02)


async def test_a_client_that_does_not_read_is_disconnected(
    shared_app: RunningApp, emitted: list[Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(HttpProtocol, "send_seconds", 0.2)
    await _until_slow_consumer_closed(shared_app, emitted)


async def test_unread_responses_beyond_the_budget_are_dropped_at_once(
    shared_app: RunningApp, emitted: list[Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ByteBudget, "add", lambda _self, _address, size: size == 0)
    monkeypatch.setattr(ByteBudget, "remove", lambda *_: None)
    await _until_slow_consumer_closed(shared_app, emitted)


async def test_pipelined_requests_are_all_answered_in_order(shared_app: RunningApp) -> None:
    async with line(shared_app) as eager:
        more = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n" * 200
        await eager.say(more + REQUEST + b"Connection: close\r\n\r\n")
        statuses = re.findall(rb"HTTP/1\.1 (\d{3})", await eager.received())

    assert statuses == [b"200", b"404"] * 200 + [b"200"]


@pytest.mark.parametrize(
    ("addresses", "status"), [((1, 1), b"429"), ((1, 2, 3, 4, 5), b"503")], ids=["one address", "all addresses"]
)
async def test_one_address_cannot_take_all_connections(
    migrated_sqlite: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    addresses: tuple[int, ...],
    status: bytes,
) -> None:
    """Of four connections that the limit of open files allows, each address gets one."""
    monkeypatch.setattr("famichat.app.open_files.connection_limit", lambda: 4)
    shutil.copy(migrated_sqlite, tmp_path / "famichat.db")
    async with running_app(f"sqlite:///{tmp_path / 'famichat.db'}", tmp_path) as app, AsyncExitStack() as stack:
        lines = [await stack.enter_async_context(line(app, f"127.0.0.{last}")) for last in addresses]

        assert (await lines[-1].received()).startswith(b"HTTP/1.1 " + status)
        assert not any(each.reader.at_eof() for each in lines[:-1])


async def test_an_answer_takes_as_long_as_it_does(shared_app: RunningApp, impatient: None) -> None:
    token = shared_app.token(shared_app.home.maja)
    async with line(shared_app) as patient, shared_app.connect(shared_app.home.emil) as emil:
        await patient.say(f"GET /socket/longpoll?vsn=2.0.0&token={token} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert (await patient.answer()).startswith(b"HTTP/1.1 200 ")
        session = (await patient.reader.readuntil(b"}")).decode().split('"token":"')[1].split('"')[0]
        await patient.say(
            f"GET /socket/longpoll?vsn=2.0.0&token={session} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()
        )
        await asyncio.sleep(0.6)
        assert not patient.reader.at_eof()
        await emil.heartbeat()  # upgraded sockets are not subject to this protocol's timeouts


async def test_an_open_websocket_does_not_keep_the_http_protocol_of_its_handshake(shared_app: RunningApp) -> None:
    """It takes a third of the memory of an idle connection, and has the request with its access token."""
    async with shared_app.connect(shared_app.home.emil) as emil:
        await emil.heartbeat()

        assert not [each for each in gc.get_objects() if issubclass(type(each), HttpProtocol) and each._upgraded]
