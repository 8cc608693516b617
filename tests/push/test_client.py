"""Requests to push services: the certificate must match the name, and the checked address is used (S28)."""

import asyncio
import socket
import ssl
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.x509.oid import NameOID

from famichat.push import client as client_module
from famichat.push.client import PushClient
from famichat.push.public_ip import ForbiddenAddress, resolve
from famichat.push.response import PushResponse
from famichat.push.subscription import Subscription
from famichat.push.vapid import Vapid
from tests.factories.people import SECRET
from tests.support.push_service import Browser, b64

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def subscription(endpoint: str) -> Subscription:
    browser = Browser(endpoint)
    return Subscription(endpoint, b64(browser.point), b64(browser.auth))


def certificate(folder: Path, name: str) -> Path:
    """A certificate for a name, that vouches for itself, and its key."""
    key = generate_private_key(SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.now(UTC) - timedelta(days=1))
        .not_valid_after(datetime.now(UTC) + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file = folder / f"{name}.pem"
    file.write_bytes(built.public_bytes(pem) + private)
    return file


@asynccontextmanager
async def service(serve: Serve, tls: Path | None = None) -> AsyncIterator[int]:
    """Run a misbehaving push service; yield its port."""
    context = None
    if tls is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tls)
    serving: set[asyncio.Task[None]] = set()

    async def serve_and_close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        serving.add(task)
        with suppress(ConnectionError, asyncio.CancelledError):
            await serve(reader, writer)
        writer.transport.abort()

    server = await asyncio.start_server(serve_and_close, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving)


async def created(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 201 Created\r\ncontent-length: 0\r\n\r\n")
    await writer.drain()
    await reader.read()


async def post(endpoint: str, **settings: Any) -> tuple[PushResponse, float]:
    client = PushClient(Vapid(SECRET, contact=None), **{"allow_private": True, **settings})
    began = time.monotonic()
    try:
        return await client.post(subscription(endpoint), b"{}"), time.monotonic() - began
    finally:
        await client.close()


@pytest.mark.parametrize(("shown", "outcome"), [("localhost", "sent"), ("push.example.org", "unreachable")])
async def test_the_certificate_is_checked_for_the_host_name_although_the_connection_uses_the_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shown: str, outcome: str
) -> None:
    file = certificate(tmp_path, shown)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    async with service(created, file) as port:
        answer, _ = await post(f"https://localhost:{port}/x")

    assert answer.outcome == outcome


async def test_an_untrusted_certificate_is_refused(tmp_path: Path) -> None:
    async with service(created, certificate(tmp_path, "localhost")) as port:
        answer, _ = await post(f"https://localhost:{port}/x")

    assert answer.outcome == "unreachable"


async def test_a_name_is_resolved_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """DNS rebinding: the first answer passes the check, and the second would be used."""
    asked: list[str] = []

    def rebinding(host: str, port: int, **_: object) -> list[Any]:
        asked.append(host)
        return [(2, 1, 6, "", ("127.0.0.1" if len(asked) == 1 else "127.0.0.66", port))]

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    async with service(created) as port:
        answer, _ = await post(f"http://push.example.org:{port}/x")

    assert answer.outcome == "sent"
    assert asked.count("push.example.org") == 1


async def test_a_name_that_leads_to_a_private_address_leads_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    found = ["10.0.0.1"]

    def private(host: str, port: int, **_: object) -> list[Any]:
        return [(2, 1, 6, "", (address, port)) for address in found]

    monkeypatch.setattr(socket, "getaddrinfo", private)
    answer, _ = await post("https://push.example.org/x", allow_private=False)
    assert answer.outcome == "forbidden_address"
    with ThreadPoolExecutor(1) as executor:
        with pytest.raises(ForbiddenAddress):
            await resolve("push.example.org", 443, executor=executor)

        found.append("1.1.1.1")
        assert str(await resolve("push.example.org", 443, executor=executor)) == "1.1.1.1"


async def test_slow_name_servers_do_not_delay_other_work_in_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Uploads run in the default executor."""
    answered = threading.Event()

    def slow(*_: object, **__: object) -> list[Any]:
        answered.wait(30)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    client = PushClient(Vapid(SECRET, contact=None))
    loop = asyncio.get_running_loop()
    loop.set_default_executor(ThreadPoolExecutor(1))
    lookups = [asyncio.create_task(client.post(subscription(f"https://{n}.example/x"), b"{}")) for n in range(8)]
    try:
        async with asyncio.timeout(5):
            await asyncio.sleep(0)
            assert await loop.run_in_executor(None, lambda: "uploaded") == "uploaded"
    finally:
        answered.set()
        await asyncio.gather(*lookups)
        await client.close()


@pytest.mark.parametrize("where", ["http://127.0.0.1:1/", "https://localhost/", "file:///etc/passwd", "//x.example/"])
async def test_a_redirect_is_not_followed_wherever_it_leads(where: str) -> None:
    knocked: list[bytes] = []

    async def redirect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        knocked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(f"HTTP/1.1 302 Found\r\nlocation: {where}\r\ncontent-length: 0\r\n\r\n".encode())
        await writer.drain()
        await reader.read()

    async with service(redirect) as port:
        answer, _ = await post(f"http://localhost:{port}/x")

    assert (answer.outcome, answer.status, len(knocked)) == ("refused", 302, 1)


async def test_an_endless_answer_is_not_read() -> None:
    sent = 0

    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 201 Created\r\ntransfer-encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"10000\r\n" + b"x" * 65536 + b"\r\n")
            await writer.drain()
            sent += 65536

    async with service(endless) as port:
        answer, seconds = await post(f"http://localhost:{port}/x")

    assert answer.outcome == "sent"
    assert seconds < 5
    assert sent < 16 * 1024 * 1024


@pytest.mark.parametrize("sent", [b"H", b"HTTP/1.1 201 Created\r\nx: ", b""], ids=["status", "headers", "nothing"])
async def test_a_slow_service_times_out(sent: bytes) -> None:
    async def dribble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(sent)
        while sent:
            writer.write(b"a" if len(sent) > 1 else b"")
            await writer.drain()
            await asyncio.sleep(0.02)
        await reader.read()

    async with service(dribble) as port:
        answer, seconds = await post(f"http://localhost:{port}/x", patience=0.3)

    assert answer.outcome == "unreachable"
    assert seconds < 3


async def test_the_first_request_loads_its_library_once_and_not_in_the_event_loop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    threads: list[int] = []
    load = client_module._open_transport

    def loading(patience: float) -> Any:
        threads.append(threading.get_ident())
        return load(patience)

    monkeypatch.setattr(client_module, "_open_transport", loading)
    client = PushClient(Vapid(SECRET, None))
    asked = [client.post(subscription("https://127.0.0.1:1/x"), b"{}") for _ in range(3)]

    assert {answer.outcome for answer in await asyncio.gather(*asked)} == {"forbidden_address"}
    assert len(threads) == 1
    assert threads[0] != threading.get_ident()
    await client.close()
