"""A NATS server of the tests' own, that can be killed and started again."""

import os
import shutil
import socket
import subprocess
import time

NATS_SERVER = shutil.which("nats-server", path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"]))


class Nats:
    """One server on a free port of the loopback interface."""

    def __init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.url = f"nats://127.0.0.1:{self.port}"
        self.start()

    def start(self) -> None:
        """Start it, and wait until it accepts connections."""
        assert NATS_SERVER is not None, "Debian's nats-server is not installed"
        command = [NATS_SERVER, "--addr", "127.0.0.1", "--port", str(self.port)]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except ConnectionRefusedError:
                assert time.monotonic() < deadline, "nats-server does not start"
                time.sleep(0.005)
            else:
                return

    def kill(self) -> None:
        """Kill it."""
        self._process.kill()
        self._process.wait()
