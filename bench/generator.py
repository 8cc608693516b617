"""The load generator: clients on raw sockets that keep a fixed number of messages in flight.

The generator must be cheaper than the servers it measures. It therefore never parses a message: the time of sending is
part of every body, and one regular expression finds it in the received bytes.
"""

import asyncio
import itertools
import re
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Final, NamedTuple, Self, TypeVar, cast

_T = TypeVar("_T")
BODY_BYTES: Final = 200
ENCRYPTED_BYTES: Final = 732
"""The size of an encrypted body of `BODY_BYTES`, padded and in base64url."""
_STAMP: Final = re.compile(rb"@(\d{17})")
_STAMP_BYTES: Final = 18
_FILLER: Final = b" Dinner at six? Bring the big pot, and ask Inga" * 16
_TIMEOUT: Final = 120
_AT_ONCE: Final = 50


class Talk(NamedTuple):
    """A conversation: `pair` or `encrypted` pair `number`, of users 2n and 2n+1, or the room of the first `number`."""

    kind: str
    number: int

    @property
    def users(self) -> range:
        """The numbers of its members, the sender first."""
        return range(self.number) if self.kind == "room" else range(2 * self.number, 2 * self.number + 2)


class Client(asyncio.Protocol):
    """A connection of one user. Until `deliver` is set, received bytes are kept for `expect`."""

    def __init__(self, user: int) -> None:
        self.user = user
        self.closed = False
        self.deliver: Callable[[Sequence[bytes], bytes], None] | None = None
        self._transport: asyncio.Transport
        self._received = b""
        self._tail = b""
        self._awaited: tuple[re.Pattern[bytes], asyncio.Future[bytes]] | None = None

    async def connect(self, port: int) -> Self:
        """Connect to a server on this machine."""
        await asyncio.get_running_loop().create_connection(lambda: self, "127.0.0.1", port)
        return self

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.Transport", transport)  # that of uvloop is not a subclass

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail the call that waits."""
        self.closed = True
        if self._awaited and not self._awaited[1].done():
            self._awaited[1].set_exception(ConnectionError(f"user {self.user} lost: {self._received[-200:]!r}"))

    def data_received(self, data: bytes) -> None:
        """Report deliveries, or keep the bytes."""
        if self.deliver is None:
            self._received += data
            self._check()
            return
        data = self._tail + data
        end = 0
        stamps = []
        for match in _STAMP.finditer(data):
            stamps.append(match[1])
            end = match.end()
        self._tail = data[max(end, len(data) - _STAMP_BYTES) :]
        if stamps:
            self.deliver(stamps, data)

    def write(self, data: bytes) -> None:
        """Send bytes.

        Raises:
            ConnectionError: the connection is lost.
        """
        if self._transport.is_closing():
            raise ConnectionError(f"user {self.user} is disconnected")
        self._transport.write(data)

    async def expect(self, pattern: str) -> bytes:
        """Wait until the received bytes match; return and forget them up to the end of the match."""
        future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._awaited = (re.compile(pattern.encode(), re.DOTALL), future)
        self._check()
        async with asyncio.timeout(_TIMEOUT):
            return await future

    def ignore(self) -> None:
        """Forget everything that is received from now on."""
        self.deliver, self._received = _ignore, b""

    def close(self) -> None:
        """Disconnect."""
        self._transport.abort()

    def _check(self) -> None:
        if self._awaited and not self._awaited[1].done() and (match := self._awaited[0].search(self._received)):
            received = self._received
            self._received = received[match.end() :]
            self._awaited[1].set_result(received[: match.end()])


def _ignore(_stamps: Sequence[bytes], _data: bytes) -> None:
    pass


class Protocol(ABC):
    """How clients talk to one kind of server. Users are numbered from 0."""

    def __init__(self, port: int) -> None:
        self.port = port

    @abstractmethod
    async def sign_in(self, user: int) -> Client:
        """Connect as a user."""

    @abstractmethod
    async def enter(self, client: Client, talk: Talk) -> None:
        """Let a client receive the messages of a conversation."""

    @abstractmethod
    def message(self, client: Client, talk: Talk, stamp: int) -> bytes:
        """Encode a message with `body(stamp)`; `stamp` is unique."""

    @abstractmethod
    def receipt(self, client: Client, talk: Talk, data: bytes) -> bytes:
        """Encode the acknowledgement of the newest message in received bytes; empty if they contain none whole."""

    async def read_newest(self, client: Client, talk: Talk, count: int) -> int:
        """Fetch the newest messages, a page at a time; return how many the server gave."""
        raise NotImplementedError

    async def resume(self, client: Client, talk: Talk) -> None:
        """Get what a client missed in a conversation while it was not connected."""
        await self.enter(client, talk)


def body(stamp: int, size: int = BODY_BYTES) -> bytes:
    """Return the body of a message: `size` bytes that contain the time of sending."""
    return b"@%017d" % stamp + _FILLER[: size - _STAMP_BYTES]


def websocket_frame(payload: bytes) -> bytes:
    """Encode a text frame with the mask 0, which costs nothing to apply (RFC 6455, 5.3)."""
    size = len(payload)
    length = bytes([0x80 | size]) if size < 126 else b"\xfe" + size.to_bytes(2, "big")
    return b"\x81" + length + b"\0\0\0\0" + payload


UPGRADE: Final = (
    "GET {path} HTTP/1.1\r\nHost: localhost:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


class Deliveries:
    """Counts deliveries, and their latency while `measuring` is set. `arrived` is set at each one."""

    def __init__(self) -> None:
        self.count = 0
        self.arrived = asyncio.Event()
        self.measuring = False
        self.nanoseconds: list[int] = []
        self._last_stamp = 0

    async def wait(self) -> None:
        """Wait for the next delivery."""
        self.arrived.clear()
        async with asyncio.timeout(_TIMEOUT):
            await self.arrived.wait()

    def stamp(self) -> int:
        """Return the current time in nanoseconds, a little later if another message has it."""
        self._last_stamp = max(time.perf_counter_ns(), self._last_stamp + 1)
        return self._last_stamp

    def add(self, stamps: Sequence[bytes]) -> None:
        """Count messages that have just arrived."""
        self.count += len(stamps)
        self.arrived.set()
        if self.measuring:
            now = time.perf_counter_ns()
            self.nanoseconds.extend(now - int(stamp) for stamp in stamps)

    def milliseconds(self, quantile: float) -> float:
        """Return a quantile of the measured latencies."""
        ordered = sorted(self.nanoseconds) or [0]
        return ordered[min(len(ordered) - 1, int(len(ordered) * quantile))] / 1e6


class Flow:
    """One conversation in which a fixed number of messages is in flight.

    A message has arrived when every recipient has it; then the next one is sent. In a room, the sender is a recipient.

    Args:
        protocol: the server's protocol.
        talk: the conversation.
        clients: its connected members, the sender first.
        deliveries: where deliveries are counted.
        receipts: whether each recipient other than the sender acknowledges what it receives.
        limit: how many messages are sent; None for as many as possible.
    """

    def __init__(
        self,
        protocol: Protocol,
        talk: Talk,
        clients: Sequence[Client],
        deliveries: Deliveries,
        *,
        receipts: bool = False,
        limit: int | None = None,
    ) -> None:
        self._protocol, self._talk, self._deliveries = protocol, talk, deliveries
        self._sender = clients[0]
        self._recipients = len(clients) if talk.kind == "room" else 1
        self._unsent = limit
        self._arrivals: dict[bytes, int] = {}
        self.finished = asyncio.Event()
        self._remaining = limit
        clients[0].deliver = self._arrived if talk.kind == "room" else _ignore
        for client in clients[1:]:
            client.deliver = self._acknowledging(client) if receipts else self._arrived

    def send(self, count: int) -> None:
        """Send messages."""
        if self._unsent is not None:
            count = min(count, self._unsent)
            self._unsent -= count
        message, sender, talk = self._protocol.message, self._sender, self._talk
        sender.write(b"".join([message(sender, talk, self._deliveries.stamp()) for _ in range(count)]))

    def _acknowledging(self, client: Client) -> Callable[[Sequence[bytes], bytes], None]:
        def arrived(stamps: Sequence[bytes], data: bytes) -> None:
            self._arrived(stamps, data)
            client.write(self._protocol.receipt(client, self._talk, data))

        return arrived

    def _arrived(self, stamps: Sequence[bytes], _data: bytes) -> None:
        self._deliveries.add(stamps)
        complete = len(stamps) if self._recipients == 1 else sum(map(self._is_complete, stamps))
        if complete:
            self._finish(complete)
            self.send(complete)

    def _is_complete(self, stamp: bytes) -> bool:
        count = self._arrivals.pop(stamp, 0) + 1
        if count < self._recipients:
            self._arrivals[stamp] = count
        return count == self._recipients

    def _finish(self, count: int) -> None:
        if self._remaining is not None:
            self._remaining -= count
            if self._remaining <= 0:
                self.finished.set()


@asynccontextmanager
async def flows(
    protocol: Protocol,
    talks: Iterable[Talk],
    deliveries: Deliveries,
    *,
    receipts: bool = False,
    limit: int | None = None,
) -> AsyncIterator[list[Flow]]:
    """Connect the members of conversations, and yield a flow for each; see `Flow` for the arguments."""
    talks = list(talks)
    members = [(talk, user) for talk in talks for user in talk.users]

    async def enter(talk: Talk, user: int) -> Client:
        client = await protocol.sign_in(user)
        await protocol.enter(client, talk)
        return client

    first, *others = members  # the first one creates a room
    clients = [await enter(*first), *await gather(enter(talk, user) for talk, user in others)]
    unused = iter(clients)
    try:
        yield [
            Flow(
                protocol,
                talk,
                list(itertools.islice(unused, len(talk.users))),
                deliveries,
                receipts=receipts,
                limit=limit,
            )
            for talk in talks
        ]
    finally:
        for client in clients:
            client.close()


async def send_messages(protocol: Protocol, pairs: Iterable[int], each: int, in_flight: int) -> None:
    """Send `each` messages in every one of these pairs, and wait until they are delivered."""
    talks = [Talk("pair", pair) for pair in pairs]
    async with flows(protocol, talks, Deliveries(), limit=each) as sending:
        for flow in sending:
            flow.send(in_flight)
        async with asyncio.timeout(_TIMEOUT):
            await asyncio.gather(*(flow.finished.wait() for flow in sending))


async def gather(calls: Iterable[Awaitable[_T]], at_once: int = _AT_ONCE) -> list[_T]:
    """Await several calls, `at_once` of them at a time; return the results in order."""
    semaphore = asyncio.Semaphore(at_once)

    async def limited(call: Awaitable[_T]) -> _T:
        async with semaphore:
            return await call

    return await asyncio.gather(*map(limited, calls))
