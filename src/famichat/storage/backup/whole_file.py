"""Writes a backup under a temporary name, and gives it its name when it is complete and on the disk."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from famichat.storage.backup.staging import staging
from famichat.storage.data_dir import DataDir, sync_directory


@contextmanager
def whole_file(target: Path, data_dir: DataDir) -> Iterator[tuple[IO[bytes], Path]]:
    """Yield a stream to write to, and a private directory for temporary files on the same disk.

    `target` exists after the block, with everything that was written, or not at all if the block or the process ends
    early. The next start of the server deletes what a killed process leaves behind.
    """
    with staging(target.parent, data_dir) as folder:
        draft = folder / "backup.tar"
        draft.touch(0o600)
        with draft.open("wb") as stream:
            yield stream, folder
            stream.flush()
            os.fsync(stream.fileno())
        draft.rename(target)
        sync_directory(target.parent)
