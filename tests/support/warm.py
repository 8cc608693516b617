"""Starts the `famichat` program by forking a process that has imported it already.

Importing the program takes two seconds of CPU, a fork a few milliseconds. Everything after the imports is the real
program in a process of its own, which can be signalled, killed and waited for like a `subprocess.Popen`.

process = start("famichat", "serve", "--port", "4000", environment={...}, stdout=log, stderr=log)
process.send_signal(signal.SIGTERM)
code = process.wait(timeout=30)
"""

import atexit
import gc
import json
import os
import pkgutil
import runpy
import selectors
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import IO, Final, NoReturn

import famichat

ROOT: Final = Path(__file__).parents[2]
_FIRST_OTHER_FD, _LAST_FD = 3, 1024
_MAX_REQUEST = 256 * 1024


class WarmProcess:
    """A running program that was forked, with the interface of `subprocess.Popen` that tests use.

    Attributes:
        pid: its process id.
        returncode: its exit code; negative for a signal; None while it runs.
    """

    def __init__(self, pid: int, status: socket.socket) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._status = status

    def poll(self) -> int | None:
        """Return the exit code, or None while it runs."""
        try:
            return self.wait(0)
        except subprocess.TimeoutExpired:
            return None

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end and return the exit code.

        Raises:
            subprocess.TimeoutExpired: it is still running after `timeout` seconds.
        """
        if self.returncode is None:
            self._status.settimeout(timeout)
            try:
                self.returncode = int(self._status.recv(64))
            except (TimeoutError, BlockingIOError):
                raise subprocess.TimeoutExpired("famichat", timeout or 0) from None
            self._status.close()
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask it to stop."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Kill it; no handler runs."""
        self.send_signal(signal.SIGKILL)


Process = WarmProcess | subprocess.Popen[bytes]


def start(
    module: str,
    *arguments: str,
    environment: Mapping[str, str],
    stdin: IO[bytes] | int | None = None,
    stdout: IO[bytes] | int,
    stderr: IO[bytes] | int,
) -> Process:
    """Start a program in the project's folder, like `python -m MODULE ARGUMENTS`.

    With a PYTHONPATH, it is a new interpreter, because it may import other modules.

    Args:
        module: what Python runs.
        arguments: the command.
        environment: its whole environment.
        stdin: file or descriptor for its standard input; empty by default.
        stdout: file or descriptor for its standard output.
        stderr: file or descriptor for its standard error.
    """
    if "PYTHONPATH" in environment:
        return subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            cwd=ROOT,
            env=dict(environment),
            stdin=stdin or subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
        )
    ours, theirs = socket.socketpair()
    request = json.dumps({"command": [module, *arguments], "environment": dict(environment)}).encode()
    with theirs, Path(os.devnull).open("rb") as nothing:
        files = [each if isinstance(each, int) else each.fileno() for each in (stdin or nothing, stdout, stderr)]
        socket.send_fds(_server(), [request], [theirs.fileno(), *files])
    return WarmProcess(int(ours.recv(64)), ours)


@cache
def _server() -> socket.socket:
    """Start the process that forks, once per test process; it ends with it."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FAMICHAT_")}
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-m", __name__, str(theirs.fileno())],
            cwd=ROOT,
            env=environment,
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
        )

    def end() -> None:
        ours.close()
        process.wait()

    atexit.register(end)
    return ours


class _ForkServer:
    def __init__(self, requests: socket.socket) -> None:
        self._requests = requests
        self._selector = selectors.DefaultSelector()
        self._selector.register(requests, selectors.EVENT_READ)

    def run(self) -> None:
        """Fork a process per request and report its end, until the test process ends."""
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is not self._requests:
                    self._report(key.fd, *key.data)
                elif not self._fork():
                    return

    def _fork(self) -> bool:
        request, files, _, _ = socket.recv_fds(self._requests, _MAX_REQUEST, 4)
        if not request:
            return False
        pid = os.fork()
        if pid == 0:
            _become(**json.loads(request), files=files[1:])
        status = socket.socket(fileno=files[0])
        status.sendall(b"%d" % pid)
        for file in files[1:]:
            os.close(file)
        self._selector.register(os.pidfd_open(pid), selectors.EVENT_READ, (pid, status))
        return True

    def _report(self, pidfd: int, pid: int, status: socket.socket) -> None:
        self._selector.unregister(pidfd)
        os.close(pidfd)
        _, ended = os.waitpid(pid, 0)
        with status:
            status.sendall(b"%d" % os.waitstatus_to_exitcode(ended))


def _become(command: list[str], environment: dict[str, str], files: list[int]) -> NoReturn:
    """Run a program in the forked process, with its own environment and files."""
    for target, file in enumerate(files):
        os.dup2(file, target)
    os.closerange(_FIRST_OTHER_FD, _LAST_FD)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = command
    gc.unfreeze()
    runpy.run_module(command[0], run_name="__main__", alter_sys=True)
    raise SystemExit(0)


def import_program() -> None:
    """Import the whole program, so that forked processes need not."""
    for module in pkgutil.walk_packages(famichat.__path__, "famichat."):
        if not module.name.endswith("__main__") and ".migrations." not in module.name:
            import_module(module.name)


if __name__ == "__main__":
    import_program()
    gc.freeze()
    _ForkServer(socket.socket(fileno=int(sys.argv[1]))).run()
