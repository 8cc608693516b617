"""A server under measurement, and how its process is started and stopped."""

import os
import pwd
import signal
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from bench.generator import Protocol

_START_SECONDS: Final = 60
_STOP_SECONDS: Final = 20


@dataclass(frozen=True, slots=True)
class Population:
    """How many users a server must have, which rooms, by their number of members, and which pairs have an MLS group."""

    users: int
    rooms: Sequence[int] = ()
    encrypted: Sequence[int] = ()


class NotInstalled(Exception):
    """A server cannot be measured, because a program is missing."""


class Server(ABC):
    """A running server with users.

    Attributes:
        protocol: how to talk to it.
        pid: its process.
        pids: its process and that of its database.
        keeps_messages: whether it stores messages, so that a client can read them later.
        has_mls: whether it checks the MLS epoch of encrypted messages.
    """

    keeps_messages = True
    has_mls = False
    protocol: Protocol
    pid: int
    pids: list[int]

    @classmethod
    @abstractmethod
    @contextmanager
    def run(cls, folder: Path, population: Population) -> Iterator[Self]:
        """Start it with fresh data in `folder`, and stop it at the end of the block.

        Raises:
            NotInstalled: a program is missing.
        """


@contextmanager
def process(
    command: Sequence[str | Path], folder: Path, *, user: str | None = None, env: Mapping[str, str] | None = None
) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a process until the end of the block; its output goes to `folder`.

    Args:
        command: the program and its arguments.
        folder: the working directory.
        user: the account that it runs as, if this process is root.
        env: additional environment variables.
    """
    account = pwd.getpwnam(user) if user and os.geteuid() == 0 else None
    with (folder / "output").open("ab") as output:
        started = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            user=account and account.pw_uid,
            group=account and account.pw_gid,
            extra_groups=[] if account else None,
            start_new_session=True,
        )
    try:
        yield started
    finally:
        _stop(started)


def _stop(leader: "subprocess.Popen[bytes]") -> None:
    """Stop a process and its children: the program may be a script that starts the server."""
    with suppress(ProcessLookupError):
        os.killpg(leader.pid, signal.SIGTERM)
    try:
        leader.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(leader.pid, signal.SIGKILL)
        leader.wait()


def wait_for_port(port: int, server: "subprocess.Popen[bytes]") -> None:
    """Wait until a server accepts connections."""
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise ChildProcessError(f"Port {port} did not open: {server.args!r}")


def free_port() -> int:
    """Return a port of the loopback interface that nothing listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def give_to(folder: Path, user: str) -> None:
    """Make an account the owner of a folder, if this process is root."""
    if os.geteuid() == 0:
        account = pwd.getpwnam(user)
        for path in (folder, *folder.rglob("*")):
            os.chown(path, account.pw_uid, account.pw_gid)
