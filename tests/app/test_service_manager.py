"""What the server tells a service manager, over a real datagram socket."""

import asyncio
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from famichat.app.service_manager import ServiceManager
from tests.support.program import started

PATIENCE = 30


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.settimeout(PATIENCE)
        yield listener


def test_a_server_reports_that_it_is_ready_alive_and_stopping(manager: socket.socket, tmp_path: Path) -> None:
    address = manager.getsockname()
    with started(
        *("serve", "--port", "0", "--data-dir", tmp_path / "data", "--json"),
        NOTIFY_SOCKET=address,
        WATCHDOG_USEC="400000",
    ) as server:
        states = [manager.recv(4096).decode()]
        while not states[-1].startswith("READY=1"):
            states.append(manager.recv(4096).decode())
        server.line()
        alive = manager.recv(4096)
        assert server.end() == 0
    manager.settimeout(0)
    last = b"".join(iter(lambda: _next(manager), b""))

    assert states[-1].startswith("READY=1\nSTATUS=Running at http://127.0.0.1:")
    assert set(states[:-1]) | {alive.decode()} == {"WATCHDOG=1"}
    assert b"STOPPING=1" in last


def _next(manager: socket.socket) -> bytes:
    try:
        return manager.recv(4096)
    except BlockingIOError:
        return b""


@pytest.mark.parametrize(
    "environment",
    [{}, {"WATCHDOG_USEC": "1000"}, {"NOTIFY_SOCKET": "/not/there", "WATCHDOG_USEC": "soon"}, {"NOTIFY_SOCKET": "/x"}],
)
async def test_without_a_manager_nothing_happens(environment: dict[str, str]) -> None:
    server = ServiceManager.of(environment)
    server.ready("Running")
    server.stopping()

    await asyncio.wait_for(server.watch(), PATIENCE)


async def test_the_watchdog_of_another_process_is_not_fed(manager: socket.socket) -> None:
    address = manager.getsockname()
    environment = {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "1000", "WATCHDOG_PID": str(os.getpid() + 1)}
    await asyncio.wait_for(ServiceManager.of(environment).watch(), PATIENCE)
    manager.settimeout(0)

    with pytest.raises(BlockingIOError):
        manager.recv(1)


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="only Linux has abstract sockets")
def test_the_socket_may_be_abstract(tmp_path: Path) -> None:
    name = f"famichat-test-{tmp_path.name}-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(f"\0{name}")
        listener.settimeout(PATIENCE)
        ServiceManager.of({"NOTIFY_SOCKET": f"@{name}"}).stopping()

        assert listener.recv(100) == b"STOPPING=1"
