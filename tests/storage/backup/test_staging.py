"""The temporary directories of backups: private, and deleted even if the backup was killed."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from famichat.storage.backup.staging import delete_leftovers, staging
from famichat.storage.data_dir import DataDir

KILLED = """
import sys, time
from pathlib import Path
from famichat.storage.backup.staging import staging
from famichat.storage.data_dir import DataDir
with staging(Path(sys.argv[1]), DataDir(Path(sys.argv[2]))) as folder:
    (folder / "secrets.json").write_text("keys")
    print("ready", flush=True)
    time.sleep(60)
"""


def test_the_rest_of_a_killed_backup_is_deleted_and_a_running_backup_is_not(tmp_path: Path) -> None:
    data, elsewhere = tmp_path / "data", tmp_path / "disk"
    data.mkdir()
    elsewhere.mkdir()
    with subprocess.Popen([sys.executable, "-c", KILLED, elsewhere, data], stdout=subprocess.PIPE) as backup:
        assert backup.stdout is not None
        backup.stdout.readline()
        delete_leftovers(DataDir(data))
        assert len(list(elsewhere.iterdir())) == len(list(data.iterdir())) == 1
        os.kill(backup.pid, signal.SIGKILL)
    delete_leftovers(DataDir(data))

    assert [*elsewhere.iterdir(), *data.iterdir()] == []


def test_a_backup_leaves_nothing_behind_in_the_data_directory(tmp_path: Path) -> None:
    with staging(tmp_path, DataDir(tmp_path)) as folder:
        assert folder.stat().st_mode & 0o777 == 0o700
        assert list(tmp_path.iterdir()) == [folder]

    assert list(tmp_path.iterdir()) == []
