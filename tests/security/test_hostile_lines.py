"""Malicious HTTP and WebSocket traffic gains nothing and does not affect other clients (S18, S20, S37)."""

import asyncio
import re
from contextlib import AsyncExitStack
from urllib.parse import urlsplit

import pytest

from tests.support.app import RunningApp
from tests.support.raw_websocket import PING, TEXT, encode, raw_websocket

pytestmark = pytest.mark.asyncio(loop_scope="module")

HIDDEN = b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n"
HEAD = b"POST /api/v1/sessions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
# Each is one request to a proxy that reads it differently, and HIDDEN is then a second one (RFC 9112, section 11.2).
SMUGGLED = {
    "a length and chunks": HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + HIDDEN,
    "chunks and a length": HEAD + b"Transfer-Encoding: chunked\r\nContent-Length: 60\r\n\r\n0\r\n\r\n" + HIDDEN,
    "two lengths": HEAD + b"Content-Length: 2\r\nContent-Length: 60\r\n\r\n{}" + HIDDEN,
    "two lengths in one": HEAD + b"Content-Length: 2, 60\r\n\r\n{}" + HIDDEN,
    "a signed length": HEAD + b"Content-Length: +2\r\n\r\n{}" + HIDDEN,
    "a negative length": HEAD + b"Content-Length: -2\r\n\r\n{}" + HIDDEN,
    "a length in hexadecimal": HEAD + b"Content-Length: 0x2\r\n\r\n{}" + HIDDEN,
    "a length beyond counting": HEAD + b"Content-Length: 99999999999999999999\r\n\r\n{}" + HIDDEN,
    "a space before the colon": HEAD + b"Content-Length : 2\r\n\r\n{}" + HIDDEN,
    "an encoding that is none": HEAD + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + HIDDEN,
    "chunks that are not last": HEAD + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n" + HIDDEN,
    "a chunk of wrong size": HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{}\r\n0\r\n\r\n" + HIDDEN,
    "a chunk size beyond counting": HEAD + b"Transfer-Encoding: chunked\r\n\r\n10000000000000000\r\n{}" + HIDDEN,
    "U+0000 in a header": HEAD + b"X: a\0b\r\nContent-Length: 2\r\n\r\n{}" + HIDDEN,
    "a bare CR in a header": HEAD + b"X: a\rContent-Length: 2\r\n\r\n{}" + HIDDEN,
    "a protocol that is none": b"GET /healthz HTTP/3.9\r\nHost: x\r\n\r\n" + HIDDEN,
}
SLOW = 100


async def answers_to(app: RunningApp, sent: bytes) -> list[int]:
    """The statuses of all answers until the server hangs up, or waits for more."""
    where = urlsplit(app.url)
    reader, writer = await asyncio.open_connection(where.hostname, where.port)
    writer.write(sent)
    received = b""
    try:
        async with asyncio.timeout(0.5):
            while more := await reader.read(65536):
                received += more
    except TimeoutError:
        pass
    finally:
        writer.close()
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3})", received)]


async def test_no_second_request_hides_in_an_ambiguous_one(shared_app: RunningApp) -> None:
    answers = await asyncio.gather(*(answers_to(shared_app, sent) for sent in SMUGGLED.values()))

    assert await answers_to(shared_app, HIDDEN + HIDDEN) == [200, 200], "two that are two get two answers"
    for name, statuses in zip(SMUGGLED, answers, strict=True):
        assert 200 not in statuses, name
        assert len(statuses) == 1, name
        assert 400 <= statuses[0] < 500, name


async def test_lines_end_in_both_ways_and_hide_nothing(shared_app: RunningApp) -> None:
    """A bare LF ends a line (RFC 9112, section 2.2), or the request is refused: never does the rest become a body."""
    bare = b"GET /healthz HTTP/1.1\nHost: x\nContent-Length: 0\n\n"

    assert await answers_to(shared_app, bare) in ([200], [400])


async def test_a_hundred_slow_clients_delay_no_one(shared_app: RunningApp) -> None:
    where = urlsplit(shared_app.url)
    async with AsyncExitStack() as stack, shared_app.site() as site:
        slow = [await asyncio.open_connection(where.hostname, where.port) for _ in range(SLOW)]
        for _, writer in slow:
            stack.callback(writer.close)
            writer.write(b"POST /api/v1/sessions HTTP/1.1\r\nHost: x\r\nX-")

        async with asyncio.timeout(10):
            for _, writer in slow:
                writer.write(b"a")
            answers = [await site.get("/readyz") for _ in range(20)]

    assert {answer.status_code for answer in answers} == {200}


@pytest.mark.parametrize(
    ("opcode", "data", "fin"),
    [(PING, b"", True), (PING, b"x" * 125, True), (TEXT, b"", False)],
    ids=["empty pings", "large pings", "empty fragments"],
)
async def test_a_flood_of_frames_delays_no_other_client(
    shared_app: RunningApp, opcode: int, data: bytes, *, fin: bool
) -> None:
    where, home = urlsplit(shared_app.url), shared_app.home
    path = f"/socket/websocket?vsn=2.0.0&token={shared_app.token(home.maja)}"
    more = opcode if fin else 0
    async with (
        raw_websocket(str(where.hostname), where.port or 0, path) as flood,
        shared_app.connect(home.emil) as neighbour,
    ):
        flood.send(opcode, data, fin=fin)
        flood.writer.write(encode(more, data, fin=fin) * 20_000)
        async with asyncio.timeout(5):
            for _ in range(5):
                await neighbour.heartbeat()


async def test_an_address_has_a_limit_and_an_answer(shared_app: RunningApp) -> None:
    end = b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    long, endless = b"GET /" + b"a" * 8_000 + end, b"GET /" + b"a" * 70_000 + end

    assert await answers_to(shared_app, long) == [404]
    assert await answers_to(shared_app, endless) in ([400], [431])
