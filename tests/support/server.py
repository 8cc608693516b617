"""The real program in a separate process that can be killed and restarted.

server = FamichatServer(tmp_path / "data")
await server.start()
server.kill()
await server.start()
await server.stop()
"""

import asyncio
import os
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

import httpx

from tests.support import leaks, warm


class FamichatServer:
    """`famichat serve` on a free port; the port and the data stay the same across restarts.

    Args:
        data_dir: where it keeps its secrets, and its SQLite database.
        database_url: a PostgreSQL to use instead of SQLite.
        program: the module that Python runs, with its arguments; a test that plants a bug puts its own module here.
        settings: more `FAMICHAT_*` variables, without the prefix.
        log: file for its output; beside the data by default.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        database_url: str | None = None,
        program: tuple[str, ...] = ("famichat", "serve"),
        settings: dict[str, str] | None = None,
        log: Path | None = None,
    ) -> None:
        self.port = _free_port()
        self.log = log or data_dir.with_name(f"{data_dir.name}.log")
        self.program = program
        self._settings = {
            "DATA_DIR": str(data_dir),
            "DATABASE_URL": database_url or "",
            "PORT": str(self.port),
            "RATE_LIMITS": "off",
            "LOG_LEVEL": "WARNING",
            **(settings or {}),
        }
        self._process: warm.Process | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def socket_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/socket/websocket"

    @property
    def pid(self) -> int:
        return self._running().pid

    async def start(self, patience: float = 60.0) -> float:
        """Start it and wait until it is ready; return the seconds that this took."""
        began = time.monotonic()
        with self.log.open("ab") as log:
            self._process = warm.start(*self.program, environment=self._environment(), stdout=log, stderr=log)
        async with httpx.AsyncClient(base_url=self.url, trust_env=False, timeout=30) as http:
            while not await self._is_ready(http):
                if self._process.poll() is not None or time.monotonic() > began + patience:
                    self.kill()
                    raise RuntimeError(f"the server did not start:\n{self.log.read_text()[-4000:]}")
                await asyncio.sleep(0.02)
        return time.monotonic() - began

    def kill(self, along_with: Callable[[], object] | None = None) -> None:
        """Kill it like a crash: no handler runs, and nothing is flushed.

        Args:
            along_with: removes another resource at the same moment. The server sends no reply to requests
                that are still pending.
        """
        process = self._running()
        process.send_signal(signal.SIGKILL)
        if along_with is not None:
            along_with()
        process.wait()
        self._process = None

    async def died(self, patience: float = 30.0) -> None:
        """Wait until it has ended by itself."""
        await asyncio.to_thread(self._running().wait, patience)
        self._process = None

    async def stop(self, patience: float = 30.0) -> int:
        """Stop it like an operator; return its exit code."""
        process = self._running()
        process.send_signal(signal.SIGTERM)
        code = await asyncio.to_thread(process.wait, patience)
        self._process = None
        leaks.look(self.log.read_text(), "a server's log")
        return code

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._process is not None:
            self.kill()

    def _running(self) -> warm.Process:
        if self._process is None:
            raise RuntimeError("the server is not running")
        return self._process

    def _environment(self) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("FAMICHAT_")}
        return inherited | {f"FAMICHAT_{name}": value for name, value in self._settings.items()}

    async def _is_ready(self, http: httpx.AsyncClient) -> bool:
        try:
            return (await http.get("/readyz")).is_success
        except httpx.TransportError:
            return False


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
