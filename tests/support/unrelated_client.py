"""A client that sends heartbeats while others attack the server, and measures how long the server makes it wait.

The machine of the tests is busy, so a delay on the clock proves nothing. Instead this measures the CPU time that the
server's event loop spends between a heartbeat and its reply: it is what the client waits for on an idle machine.
"""

import json
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from websockets.sync.client import connect

MIB = 1024 * 1024
_PAUSE_SECONDS = 0.005


class UnrelatedClient:
    """Sends one heartbeat after the other, in a thread. Use it as a context manager.

    Args:
        url: where the socket of the server is, with a token.
        pid: the process of the server.

    Attributes:
        waits: the seconds of each heartbeat.
        peak_bytes: the largest resident memory of the server.
    """

    def __init__(self, url: str, pid: int) -> None:
        self.waits: list[float] = []
        self.peak_bytes = 0
        self._url, self._pid = url, pid
        self._connected, self._stop = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        if not self._connected.wait(60):
            raise TimeoutError("the server does not accept the unrelated client")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        with connect(self._url, compression=None, ping_interval=None) as websocket:
            self._connected.set()
            while not self._stop.wait(_PAUSE_SECONDS):
                before = loop_seconds(self._pid)
                websocket.send(json.dumps([None, "1", "phoenix", "heartbeat", {}]))
                websocket.recv(timeout=60)
                self.waits.append(loop_seconds(self._pid) - before)
                self.peak_bytes = max(self.peak_bytes, resident_bytes(self._pid))


def loop_seconds(pid: int) -> float:
    """Return the CPU time of the main thread of a process, which runs the event loop."""
    return int(Path(f"/proc/{pid}/task/{pid}/schedstat").read_text().split()[0]) / 1e9


def resident_bytes(pid: int) -> int:
    """Return the resident memory of a process."""
    [line] = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS:")]
    return int(line.split()[1]) * 1024


def settled_bytes(pid: int, below: int, seconds: float = 10.0) -> int:
    """Wait until the resident memory of a process is below a limit; return what it is then, or at the end."""
    until = time.monotonic() + seconds
    while resident_bytes(pid) >= below and time.monotonic() < until:
        time.sleep(0.05)
    return resident_bytes(pid)
