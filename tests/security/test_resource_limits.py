"""Attacks on the memory and the time of a server do not affect other clients (S18, S20, S37).

Each attack runs against a real server process with rate limits, from an address of its own, while another client
measures its heartbeats.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_asyncio

from famichat.app.open_files import raise_limit
from famichat.endpoint.pages.pages import _STATIC
from tests.support.raw_websocket import BINARY, PING, TEXT, encode
from tests.support.server import FamichatServer
from tests.support.talkers import KEYS, Talkers, move_in, sqlite_in
from tests.support.unrelated_client import MIB, UnrelatedClient, settled_bytes

pytestmark = pytest.mark.asyncio(loop_scope="module")

MOST_SECONDS = 0.2
MOST_BYTES = 64 * MIB

JSON = b"[" + b"{}," * (MIB // 3 - 1) + b"{}]"
Attack = Callable[["Victim"], Awaitable[None]]


class Victim:
    """The attacked server, and how an attacker reaches it."""

    def __init__(self, server: FamichatServer, talkers: Talkers) -> None:
        self.server = server
        self.attacker, self.unrelated = talkers.seats[0].token, talkers.seats[1].token
        self._lines: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def line(self, data: bytes) -> asyncio.StreamReader | None:
        """Connect, send bytes and leave the connection open; None if the server refuses the connection."""
        try:
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", self.server.port, local_addr=("127.0.0.9", 0), limit=1024
            )
        except OSError:
            return None
        self._lines.append((reader, writer))
        writer.write(data)
        return reader

    async def answers(self, data: bytes, times: int) -> list[bytes]:
        """Send a request on as many connections, and return the status of each response."""

        async def ask() -> bytes:
            reader = await self.line(data)
            with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
                return (await reader.readexactly(12))[9:] if reader is not None else b""
            return b""

        return await asyncio.gather(*(ask() for _ in range(times)))

    async def websocket(self, frames: bytes) -> asyncio.StreamReader | None:
        """Open a WebSocket of the attacker and send frames."""
        head = (
            f"GET /socket/websocket?vsn=2.0.0&token={self.attacker} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n"
            "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
        reader = await self.line(head.encode())
        if reader is not None:
            await reader.readuntil(b"\r\n\r\n")
            self._lines[-1][1].write(frames)
        return reader

    def request(self, path: str, body: bytes, *, length: int | None = None, token: str = "") -> bytes:
        """A POST request, with a Content-Length of `length`."""
        head = f"POST /api/v1{path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        head += f"Authorization: Bearer {token}\r\n" if token else ""
        return f"{head}Content-Length: {len(body) if length is None else length}\r\n\r\n".encode() + body

    async def hang_up(self) -> None:
        """Reset all connections of the attacker."""
        for _, writer in self._lines:
            writer.transport.abort()
        await asyncio.gather(*(writer.wait_closed() for _, writer in self._lines), return_exceptions=True)
        self._lines.clear()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def victim(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Victim]:
    raise_limit()  # of the test's own process
    folder = tmp_path_factory.mktemp("victim")
    talkers = move_in(sqlite_in(folder / "data"))
    settings = KEYS | {"RATE_LIMITS": "on"}
    async with FamichatServer(
        folder / "data", settings=settings, program=("tests.support.few_files", "serve")
    ) as server:
        victim = Victim(server, talkers)
        try:
            for attack in ATTACKS.values():  # allocate what stays allocated
                await attack(victim, 3)
        finally:
            await victim.hang_up()
        yield victim


async def sign_in_with_large_bodies(victim: Victim, times: int = 30) -> None:
    """Refused because of their length, announced or not."""
    assert set(await victim.answers(victim.request("/sessions", JSON), times)) <= {b"413", b""}
    chunked = b"POST /api/v1/sessions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    chunked += b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(JSON), JSON)
    assert set(await victim.answers(chunked, times)) <= {b"413", b""}


async def send_large_bodies(victim: Victim, times: int = 30) -> None:
    """Refused without a token before they are read, and with one when their values are counted."""
    path = "/conversations/1/messages"
    assert set(await victim.answers(victim.request(path, JSON), times)) <= {b"401", b""}
    assert set(await victim.answers(victim.request(path, JSON, token=victim.attacker), times)) <= {b"400", b"429", b""}


async def send_frames_to_no_channel(victim: Victim, times: int = 30) -> None:
    """Closed because of their values, or slowed down because of their size."""
    many_values = b'[null,"1","nowhere","x",' + JSON[: MIB - 64].rstrip(b"{},") + b"]]"
    large = b'[null,"1","nowhere","x",{"x":"' + b"x" * (MIB - 64) + b'"}]'
    await asyncio.gather(*(victim.websocket(encode(TEXT, many_values)) for _ in range(times // 2)))
    await asyncio.gather(*(victim.websocket(encode(TEXT, large) * 2) for _ in range(times // 2)))


async def flood_with_small_frames(victim: Victim, times: int = 30) -> None:
    heartbeat = encode(TEXT, b'[null,"1","phoenix","heartbeat",{}]')
    await victim.websocket(heartbeat * 1000 * times)
    await victim.websocket(encode(PING) * 1000 * times)


async def leave_frames_incomplete(victim: Victim, times: int = 30) -> None:
    part = encode(BINARY, bytes(MIB - 64))[:-1]
    await asyncio.gather(*(victim.websocket(part) for _ in range(times)))


async def leave_requests_incomplete(victim: Victim, times: int = 600) -> None:
    body, head = victim.request("/sessions", bytes(4000), length=4096), b"GET / HTTP/1.1\r\nX: " + bytes(15_000)
    for _ in range(times // 2):
        await victim.line(body)
        await victim.line(head)


async def read_no_responses(victim: Victim, times: int = 500) -> None:
    path = max(_STATIC.rglob("*.js"), key=lambda file: file.stat().st_size).relative_to(_STATIC)
    for _ in range(times):
        await victim.line(f"GET /{path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())


async def pipeline_requests(victim: Victim, times: int = 30) -> None:
    for _ in range(times // 3):
        await victim.line(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" * 10_000)


ATTACKS = {
    "signing in with large bodies": sign_in_with_large_bodies,
    "sending large bodies": send_large_bodies,
    "frames to no channel": send_frames_to_no_channel,
    "a flood of small frames": flood_with_small_frames,
    "incomplete frames": leave_frames_incomplete,
    "incomplete requests": leave_requests_incomplete,
    "unread responses": read_no_responses,
    "pipelined requests": pipeline_requests,
}


@pytest.mark.parametrize("name", ATTACKS)
async def test_an_attack_affects_no_other_client(victim: Victim, name: str) -> None:
    pid = victim.server.pid
    before = settled_bytes(pid, 0, seconds=0)
    url = f"{victim.server.socket_url}?vsn=2.0.0&token={victim.unrelated}"
    with UnrelatedClient(url, pid) as unrelated:
        try:
            await ATTACKS[name](victim)
            await asyncio.sleep(0.5)  # what the attack left behind is handled meanwhile
        finally:
            await victim.hang_up()
    after = await asyncio.to_thread(settled_bytes, pid, before + MOST_BYTES // 2)
    assert max(unrelated.waits) < MOST_SECONDS
    assert unrelated.peak_bytes - before < MOST_BYTES
    assert after - before < MOST_BYTES // 2
