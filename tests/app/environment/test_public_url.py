"""The check of the public URL, with a real server and proxies in front of it that are set up well or badly."""

import asyncio
import re
import shutil
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import pytest_asyncio

from famichat.app.environment.check import Check
from famichat.app.environment.public_url import check_public_url
from famichat.settings import Settings
from tests.support.app import running_app

pytestmark = pytest.mark.asyncio(loop_scope="module")

Change = Callable[[bytes], bytes]


def drop_upgrade(head: bytes) -> bytes:
    return re.sub(rb"\r\n(?:Upgrade|Connection): [^\r]*", b"", head, flags=re.IGNORECASE)


def forward(head: bytes) -> bytes:
    return head.replace(b"\r\n", b"\r\nX-Forwarded-For: 203.0.113.9\r\n", 1)


class Proxy:
    """A reverse proxy at the public URL of a server, which may change the head of requests."""

    def __init__(self) -> None:
        self.change: Change = bytes
        self.target = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        back, forth = await asyncio.open_connection("127.0.0.1", self.target)
        forth.write(self.change(head.replace(b"Connection: keep-alive", b"Connection: close")))
        writer.write(await back.read(65536))
        forth.close()
        writer.close()


@dataclass(frozen=True, slots=True)
class Behind:
    proxy: Proxy
    settings: Settings
    url: str


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def behind(migrated_sqlite: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Behind]:
    """A server whose public URL is that of a proxy."""
    folder, proxy = tmp_path_factory.mktemp("behind"), Proxy()
    shutil.copy(migrated_sqlite, folder / "famichat.db")
    async with await asyncio.start_server(proxy.serve, "127.0.0.1") as server:
        url = f"http://localhost:{server.sockets[0].getsockname()[1]}"
        async with running_app(f"sqlite:///{folder / 'famichat.db'}", folder, public_url=url) as app:
            proxy.target = urlsplit(app.url).port or 0
            yield Behind(proxy, app.settings, url)


async def test_a_url_that_reaches_the_server_passes(behind: Behind) -> None:
    behind.proxy.change = bytes

    found = await check_public_url(behind.settings)

    assert found == Check("public URL", Check.OK, f"{behind.url} reaches this server, also with WebSocket")


@pytest.mark.parametrize(
    ("change", "part"),
    [
        (drop_upgrade, "answers WebSockets with 200; let the proxy forward the headers Upgrade and Connection"),
        (forward, "a proxy that is not trusted; add its address to FAMICHAT_TRUSTED_PROXIES"),
    ],
    ids=["no WebSocket", "proxy not trusted"],
)
async def test_a_proxy_that_is_set_up_badly_is_noticed(behind: Behind, change: Change, part: str) -> None:
    behind.proxy.change = change

    found = await check_public_url(behind.settings)

    assert found.status == Check.BAD
    assert part in found.detail


async def test_a_running_server_with_another_public_url_is_noticed(behind: Behind) -> None:
    url = f"http://127.0.0.1:{behind.proxy.target}"

    found = await check_public_url(behind.settings.model_copy(update={"public_url": url}))

    assert (found.status, "another FAMICHAT_PUBLIC_URL; restart it" in found.detail) == (Check.BAD, True)


@pytest.mark.parametrize(
    ("answer", "part"),
    [
        ("200 OK\r\ncontent-length: 6\r\n\r\nrouter", "is another server; let the proxy send its requests to port"),
        ("200 OK\r\ncontent-length: 2\r\n\r\n[]", "is another server"),
        ("502 Bad Gateway\r\ncontent-length: 0\r\n\r\n", "answers 502: the proxy does not reach Famichat on port"),
        (
            "301 Moved\r\nlocation: https://www.example.org/socket/reach\r\ncontent-length: 0\r\n\r\n",
            "redirects to https://www.example.org; set FAMICHAT_PUBLIC_URL",
        ),
    ],
)
async def test_a_url_that_leads_elsewhere_is_noticed(behind: Behind, answer: str, part: str) -> None:
    async def reply(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.1 {answer}".encode())
        writer.close()

    async with await asyncio.start_server(reply, "127.0.0.1") as server:
        url = f"http://localhost:{server.sockets[0].getsockname()[1]}"
        found = await check_public_url(behind.settings.model_copy(update={"public_url": url}))

    assert (found.status, part in found.detail) == (Check.BAD, True), found.detail


async def test_no_answer_is_a_note_because_routers_may_block_the_way_back(behind: Behind) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://localhost:{unused.getsockname()[1]}"
        found = await check_public_url(behind.settings.model_copy(update={"public_url": url}))

    assert (found.status, "does not answer requests from this machine" in found.detail) == (Check.NOTE, True)


async def test_a_missing_public_url_is_a_note(behind: Behind) -> None:
    found = await check_public_url(behind.settings.model_copy(update={"public_url": None}))

    assert (found.status, "set FAMICHAT_PUBLIC_URL" in found.detail) == (Check.NOTE, True)
