"""The address of the admin socket, and the protocol that both ends speak: JSON-RPC 2.0, one object per line."""

import os
import socket
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

PROTOCOL = 1
"""The version of the methods and their parameters. The command line refuses to talk to a server of another one."""

MAX_LINE = 1024 * 1024
REFUSED = -32000
"""The JSON-RPC error code of an expected error. `data` contains its code of the registry and its details."""

FOLDER, SOCKET = "run", "admin.sock"
_MAX_PATH = 107
"""The longest path of a Unix socket on Linux, in bytes."""


def admin_address(data_dir: Path) -> AbstractContextManager[str]:
    """Yield the path of the admin socket; see `socket_address`."""
    return socket_address(data_dir, SOCKET)


@contextmanager
def socket_address(data_dir: Path, name: str) -> Iterator[str]:
    """Yield the path of a Unix socket of this server, in a form that is short enough to bind or to connect to.

    Raises:
        FileNotFoundError: the path is long and its folder does not exist.
    """
    path = data_dir / FOLDER / name
    if len(os.fsencode(path)) <= _MAX_PATH:
        yield str(path)
        return
    descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{descriptor}/{name}"
    finally:
        os.close(descriptor)


def bound(data_dir: Path, name: str) -> socket.socket:
    """Bind a Unix socket that only this user can connect to. Call it in the only process that uses this name.

    Raises:
        OSError: the socket cannot be created.
    """
    folder = data_dir / FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    folder.chmod(0o700)
    listener = socket.socket(socket.AF_UNIX)
    try:
        with socket_address(data_dir, name) as address:
            Path(address).unlink(missing_ok=True)  # no other process uses this name, so an existing socket is stale
            listener.bind(address)
            Path(address).chmod(0o600)
    except OSError:
        listener.close()
        raise
    return listener
