"""A raw WebSocket client over TCP that can violate the protocol."""

import asyncio
import base64
import contextlib
import os
import struct
from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass
from typing import TypeVar

_T = TypeVar("_T")

TEXT, BINARY, CLOSE, PING, PONG, CONT = 1, 2, 8, 9, 10, 0


@dataclass(frozen=True, slots=True)
class RawFrame:
    opcode: int
    data: bytes
    fin: bool = True

    @property
    def close_code(self) -> int | None:
        return struct.unpack("!H", self.data[:2])[0] if len(self.data) >= 2 else None


@dataclass(frozen=True, slots=True)
class RawResponse:
    status: int
    headers: dict[str, str]
    body: bytes


class RawWebSocket:
    """A connection to the server, after or without a handshake."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def request(
        self, path: str, headers: dict[str, str | None] | None = None, method: str = "GET"
    ) -> RawResponse:
        """Send a handshake, with headers changed or (None) left out, and return the answer."""
        key = base64.b64encode(os.urandom(16)).decode()
        wanted: dict[str, str | None] = {
            "Host": "localhost",
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Key": key,
            "Sec-WebSocket-Version": "13",
            **(headers or {}),
        }
        lines = [f"{name}: {value}" for name, value in wanted.items() if value is not None]
        self.writer.write("\r\n".join([f"{method} {path} HTTP/1.1", *lines, "", ""]).encode())
        head = (await self._within(self.reader.readuntil(b"\r\n\r\n"))).decode()
        first, *rest = head.strip().split("\r\n")
        answered = {name.lower(): value for name, _, value in (line.partition(": ") for line in rest)}
        body = await self.reader.readexactly(int(answered.get("content-length", "0")))
        return RawResponse(int(first.split()[1]), answered, body)

    def send(self, opcode: int, data: bytes = b"", *, fin: bool = True, rsv: int = 0, mask: bool = True) -> None:
        """Send a frame, right or wrong."""
        self.write(encode(opcode, data, fin=fin, rsv=rsv, mask=mask))

    def write(self, data: bytes) -> None:
        """Send bytes."""
        self.writer.write(data)

    async def frame(self) -> RawFrame:
        """Return the server's next frame; raises IncompleteReadError at the end of the stream."""
        first, second = await self._within(self.reader.readexactly(2))
        length = second & 0x7F
        if length == 126:
            (length,) = struct.unpack("!H", await self._within(self.reader.readexactly(2)))
        elif length == 127:
            (length,) = struct.unpack("!Q", await self._within(self.reader.readexactly(8)))
        return RawFrame(first & 0x0F, await self._within(self.reader.readexactly(length)), bool(first & 0x80))

    async def assert_closed(self, code: int | None) -> None:
        """Assert that the server sends a close frame with this code and then disconnects."""
        frame = await self.frame()
        while frame.opcode != CLOSE:
            frame = await self.frame()
        assert frame.close_code == code
        if code is not None:
            self.send(CLOSE, struct.pack("!H", code))
        await self.assert_eof()

    async def assert_eof(self) -> None:
        """Assert that the server disconnects."""
        with contextlib.suppress(ConnectionError):
            assert await self._within(self.reader.read()) == b""

    async def _within(self, wanted: Awaitable[_T]) -> _T:
        async with asyncio.timeout(5):
            return await wanted


def encode(opcode: int, data: bytes = b"", *, fin: bool = True, rsv: int = 0, mask: bool = True) -> bytes:
    """Write a frame as a client does."""
    head = bytearray([(0x80 if fin else 0) | (rsv << 4) | opcode])
    masked = 0x80 if mask else 0
    if len(data) < 126:
        head.append(masked | len(data))
    elif len(data) < 65536:
        head += struct.pack("!BH", masked | 126, len(data))
    else:
        head += struct.pack("!BQ", masked | 127, len(data))
    if not mask:
        return bytes(head) + data
    key = os.urandom(4)
    stretched = (key * (len(data) // 4 + 1))[: len(data)]
    hidden = (int.from_bytes(data, "big") ^ int.from_bytes(stretched, "big")).to_bytes(len(data), "big")
    return bytes(head) + key + hidden


@contextlib.asynccontextmanager
async def raw_connection(host: str, port: int) -> AsyncIterator[RawWebSocket]:
    """Connect, without a handshake."""
    reader, writer = await asyncio.open_connection(host, port, limit=2**26)
    try:
        yield RawWebSocket(reader, writer)
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


@contextlib.asynccontextmanager
async def raw_websocket(host: str, port: int, path: str) -> AsyncIterator[RawWebSocket]:
    """Connect, with a correct handshake."""
    async with raw_connection(host, port) as raw:
        response = await raw.request(path)
        assert response.status == 101, response
        yield raw
