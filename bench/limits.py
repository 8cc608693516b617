"""What the machine can do at best, to compare the servers with: commits of the disk, frames of a bare loop, sealing."""

import os
import secrets
import socket
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bench.generator import body, websocket_frame
from famichat.storage.base import new_id
from famichat.storage.crypto.vault import Vault

_PAGE: Final = b"\0" * 4096
_ROUNDS: Final = 5


def measure_limits(seconds: float) -> dict[str, float]:
    """Return each limit by its name; the best of several rounds, because other load can only slow a round down.

    Args:
        seconds: the time for each limit.
    """
    vault, cipher, row = Vault({1: secrets.token_bytes(32)}), AESGCM(secrets.token_bytes(32)), new_id()
    text, nonce, aad = body(0), secrets.token_bytes(12), row.encode()
    sealed = vault.seal("body", text, row)
    return {
        "commits of the disk/s (write 4 KiB, fdatasync)": _commits(seconds),
        "frames/s of a bare loop (one write and one read each)": _frames(seconds),
        "µs to seal a body": _microseconds(lambda: vault.seal("body", text, row), seconds),
        "µs to open a body": _microseconds(lambda: vault.open("body", sealed, row), seconds),
        "µs of plain AES-256-GCM for a body": _microseconds(lambda: cipher.encrypt(nonce, text, aad), seconds),
    }


def _commits(seconds: float) -> float:
    with tempfile.NamedTemporaryFile(dir=Path.cwd()) as file:  # the disk on which the servers store their data

        def commit() -> None:
            os.pwrite(file.fileno(), _PAGE, 0)
            os.fdatasync(file.fileno())

        return 1e6 / _microseconds(commit, seconds)


def _frames(seconds: float) -> float:
    sender, receiver = socket.socketpair()
    frame = websocket_frame(body(0))

    def carry() -> None:
        sender.send(frame)
        receiver.recv(1024)

    with sender, receiver:
        return 1e6 / _microseconds(carry, seconds)


def _microseconds(work: Callable[[], object], seconds: float) -> float:
    """Return the duration of one call in the fastest round."""
    best = float("inf")
    for _ in range(_ROUNDS):
        calls, started = 0, time.perf_counter()
        while (passed := time.perf_counter() - started) < seconds / _ROUNDS:
            for _ in range(10):
                work()
            calls += 10
        best = min(best, passed / calls * 1e6)
    return best
