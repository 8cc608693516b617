import os
import shutil
import stat
import time
from collections import namedtuple
from pathlib import Path

import pytest

from famichat.app.environment import machine
from famichat.app.environment.check import Check
from famichat.app.environment.machine import (
    check_clock,
    check_disks,
    check_picture_worker,
    chrony_offset,
    data_folders,
    database_offset,
    free_bytes,
)
from famichat.attachments.picture import PictureRefused
from famichat.settings import Settings
from famichat.storage.database import Database

GIB = 1024**3
Usage = namedtuple("Usage", "total used free")  # as shutil.disk_usage returns it  # noqa: PYI024


@pytest.mark.parametrize(
    ("total", "free", "status"),
    [
        (100 * GIB, 50 * GIB, Check.OK),
        (4 * GIB, 2 * GIB, Check.OK),
        (100 * GIB, GIB // 2, Check.NOTE),
        (100 * GIB, GIB // 5, Check.BAD),
    ],
)
def test_a_disk_that_fills_up_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, total: int, free: int, status: str
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(total, total - free, free))

    (found,) = check_disks([tmp_path, tmp_path / "files", tmp_path / "not" / "there"])

    assert found.status == status
    assert f"{free // 1024**2} MiB free" in found.detail


def test_a_file_system_without_inodes_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_files_left", lambda _: 3)

    (found,) = check_disks([tmp_path])

    assert (found.status, "only 3 inodes left" in found.detail) == (Check.BAD, True)


def test_each_disk_is_checked_once(tmp_path: Path) -> None:
    other = Path("/dev/shm")  # noqa: S108 - another file system, nothing is written
    found = [check.detail for check in check_disks([tmp_path, other, tmp_path / "files"])]

    assert len(found) == len({tmp_path.stat().st_dev, other.stat().st_dev})


def test_the_free_space_is_that_of_the_fullest_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "full").mkdir()
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(9, 0, 1 if path.name == "full" else 5))

    assert free_bytes([tmp_path, tmp_path / "full", tmp_path / "missing"]) == 1


def test_the_data_the_files_and_the_backups_may_be_on_three_disks(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "a", files_dir=tmp_path / "b", backup_dir=tmp_path / "c")

    assert data_folders(settings) == (tmp_path / "a", tmp_path / "b", tmp_path / "c")


@pytest.mark.parametrize(
    ("offset", "status", "part"),
    [
        (None, Check.OK, "not compared"),
        (0.4, Check.OK, "0.4 s ahead of the database"),
        (-61.0, Check.NOTE, "61.0 s behind the database; turn on time synchronization"),
    ],
)
def test_a_wrong_clock_is_noticed(offset: float | None, status: str, part: str) -> None:
    found = check_clock(offset, "the database")

    assert (found.status, part in found.detail) == (status, True)


def test_the_clock_is_compared_with_that_of_postgresql(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + 60)
    found = database.run_read(database_offset)

    if database.file is None:
        assert found is not None
        assert 55 < found < 65
    else:
        assert found is None


@pytest.mark.parametrize(
    ("script", "offset"),
    [("echo 'C0A80001,192.168.0.1,3,1,-2.5,0.1,0.1'", -2.5), ("echo 506 Cannot talk to daemon; exit 1", None)],
)
def test_chrony_is_asked_if_it_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, offset: float | None
) -> None:
    program = tmp_path / "chronyc"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    assert chrony_offset() == offset


@pytest.mark.parametrize(("confined", "status"), [(True, Check.OK), (False, Check.NOTE), (None, Check.BAD)])
def test_a_picture_worker_that_is_not_confined_is_noticed(
    monkeypatch: pytest.MonkeyPatch, *, confined: bool | None, status: str
) -> None:
    def is_confined() -> bool:
        if confined is None:
            raise PictureRefused
        return confined

    monkeypatch.setattr(machine, "is_confined", is_confined)

    assert check_picture_worker().status == status
