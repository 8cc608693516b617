"""The temporary directory of a backup, which holds a copy of the database and, usually, the keys.

A backup that is killed leaves its directory behind, so the data directory links to it: the next start of the server, or
the next backup, deletes it.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from famichat.storage.data_dir import DataDir

_PREFIX = ".famichat-backup-"


@contextmanager
def staging(parent: Path, data_dir: DataDir) -> Iterator[Path]:
    """Yield a private directory inside `parent`, and delete it at the end of the block."""
    delete_leftovers(data_dir)
    with tempfile.TemporaryDirectory(prefix=_PREFIX, dir=parent) as name:
        folder = Path(name).absolute()
        link = data_dir.path / folder.name
        with _locked(folder):
            if not link.exists():  # it exists if `parent` is the data directory
                link.symlink_to(folder)
            try:
                yield folder
            finally:
                if link.is_symlink():
                    link.unlink()


def delete_leftovers(data_dir: DataDir) -> None:
    """Delete the directories of killed backups. Those of running backups are locked, and stay."""
    for link in data_dir.path.glob(f"{_PREFIX}*"):
        folder = link.resolve()
        with suppress(FileNotFoundError, BlockingIOError), _locked(folder):
            shutil.rmtree(folder, ignore_errors=True)
        if link.is_symlink() and not folder.exists():
            link.unlink()


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold an exclusive lock on a directory, which ends with the process. Raises BlockingIOError if it is taken."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)
