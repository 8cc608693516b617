"""The address of the admin socket, and the protocol that both ends speak: JSON-RPC 2.0, one object per line."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PROTOCOL = 1
"""The version of the methods and their parameters. The command line refuses to talk to a server of another one."""

MAX_LINE = 1024 * 1024
REFUSED = -32000
"""The JSON-RPC error code of an expected error. `data` contains its code of the registry and its details."""

FOLDER, SOCKET = "run", "admin.sock"
_MAX_PATH = 107
"""The longest path of a Unix socket on Linux, in bytes."""


@contextmanager
def admin_address(data_dir: Path) -> Iterator[str]:
    """Yield the path of the admin socket, in a form that is short enough to bind or to connect to.

    Raises:
        FileNotFoundError: the path is long and its folder does not exist.
    """
    path = data_dir / FOLDER / SOCKET
    if len(os.fsencode(path)) <= _MAX_PATH:
        yield str(path)
        return
    descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{descriptor}/{SOCKET}"
    finally:
        os.close(descriptor)
