"""A restore killed at any step leaves either a complete server or none."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from famichat.storage.backup.backup import check_file
from famichat.storage.data_dir import DataDir
from tests.support.operator import Operator
from tests.support.warm import ROOT


@pytest.mark.timeout(120)
def test_a_restore_that_is_killed_at_any_step_leaves_all_or_nothing(tmp_path: Path) -> None:
    at_home, file, folder = Operator(tmp_path / "data"), tmp_path / "backup.tar", tmp_path / "restored"
    at_home("user", "add", "anna", "--password-stdin", given="a long enough one\n")
    epoch = at_home("backup", str(file))["epoch"]
    folder.mkdir()
    ended = killed_at_each_step(folder, file)
    places = [Operator(folder / str(step)) for step in range(1, len(ended) + 1)]
    there = [(place.data_dir / "famichat.db").exists() for place in places]

    assert {*ended[:-1], ended[-1]} == {-signal.SIGKILL, 0}
    assert there == sorted(there), "once it is there, it is not taken away"
    assert there.count(False) > 10
    for is_there, place in zip(there, places, strict=True):
        if not is_there:  # then a retry succeeds
            assert place("restore", str(file))["epoch"] != epoch
        check_file(place.data_dir / "famichat.db")
        assert DataDir(place.data_dir).secrets() == DataDir(at_home.data_dir).secrets()
    assert places[-1]("user", "list") == at_home("user", "list")


def killed_at_each_step(folder: Path, file: Path) -> list[int]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FAMICHAT_")}
    command = [sys.executable, "-m", "tests.support.killed_at", str(folder), "restore", str(file)]
    ended = subprocess.run(command, env=environment, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    codes: list[int] = json.loads(ended.stdout)
    return codes
