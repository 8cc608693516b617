"""A Redis of the tests' own, that can be killed and started again."""

import socket
import subprocess
from pathlib import Path


class Redis:
    """One server on a free port of the loopback interface, which keeps nothing on disk."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.start()

    def start(self) -> None:
        """Start it."""
        self._process = subprocess.Popen(
            ["redis-server", "--port", str(self.port), "--save", "", "--appendonly", "no", "--bind", "127.0.0.1"],
            cwd=self._directory,
            stdout=subprocess.DEVNULL,
        )

    def kill(self) -> None:
        """Kill it; what it held is gone."""
        self._process.kill()
        self._process.wait()
