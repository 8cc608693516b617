"""Checks of the machine: space on its disks, and its clock."""

import os
import shutil
import subprocess  # nosec B404 - asks chronyc, see _chrony_offset
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from famichat.app.environment.check import Check
from famichat.attachments.files import RESERVE_BYTES
from famichat.attachments.picture import PictureRefused, is_confined
from famichat.settings import Settings

_LITTLE_BYTES, _LITTLE_SHARE = 1024**3, 0.1
_FEW_FILES = 1000
_MEBIBYTE = 1024**2
CLOCK_SECONDS = 2.0
"""How far a clock may be off before it is reported."""
_PROGRAM_SECONDS = 2.0
_CHRONY_OFFSET = 4  # the column "system time" of `chronyc -c tracking`, in seconds


def data_folders(settings: Settings) -> tuple[Path, ...]:
    """Return the directories that a server writes to."""
    return settings.data_dir.absolute(), settings.effective_files_dir.absolute(), settings.effective_backup_dir


def check_disks(folders: Iterable[Path]) -> Iterator[Check]:
    """Yield one check for each disk that holds these directories, or will hold them."""
    disks: dict[int, Path] = {}
    for folder in folders:
        existing = next(path for path in (folder, *folder.parents) if path.exists())
        disks.setdefault(existing.stat().st_dev, existing)
    for folder in disks.values():
        yield _disk(folder)


def free_bytes(folders: Iterable[Path]) -> int:
    """Return the free space on the fullest disk of these directories; those that do not exist do not count."""
    return min((shutil.disk_usage(folder).free for folder in folders if folder.exists()), default=0)


def _disk(folder: Path) -> Check:
    usage, files = shutil.disk_usage(folder), _files_left(folder)
    room = f"{usage.free // _MEBIBYTE} MiB free on the disk of {folder}"
    if usage.free < RESERVE_BYTES:
        return Check("disk space", Check.BAD, f"{room}: uploads are refused; free space, or use a larger disk")
    if files is not None and files < _FEW_FILES:
        return Check("disk space", Check.BAD, f"the file system of {folder} has only {files} inodes left; delete files")
    if usage.free < min(_LITTLE_BYTES, usage.total * _LITTLE_SHARE):
        return Check("disk space", Check.NOTE, f"{room}; free space before it is full")
    return Check("disk space", Check.OK, room)


def _files_left(folder: Path) -> int | None:
    """Return how many files the file system has room for; None if it does not limit them."""
    status = os.statvfs(folder)
    return status.f_favail if status.f_files else None


def check_clock(offset: float | None, source: str) -> Check:
    """Judge the clock of this machine.

    Args:
        offset: how many seconds it is ahead of the source; None if there is nothing to compare it with.
        source: what it was compared with.
    """
    if offset is None:
        return Check("clock", Check.OK, "not compared: neither chrony nor another clock can be asked")
    detail = f"{abs(offset):.1f} s {'ahead of' if offset >= 0 else 'behind'} {source}"
    if abs(offset) <= CLOCK_SECONDS:
        return Check("clock", Check.OK, detail)
    return Check("clock", Check.NOTE, f"{detail}; turn on time synchronization, for example with apt install chrony")


def database_offset(session: Session) -> float | None:
    """Return how many seconds this clock is ahead of that of PostgreSQL; None with SQLite, which has no own clock."""
    if session.get_bind().dialect.name != "postgresql":
        return None
    before = time.time()
    theirs: float = session.execute(select(func.extract("epoch", func.clock_timestamp()))).scalar_one()
    return (before + time.time()) / 2 - float(theirs)


def chrony_offset() -> float | None:
    """Return how many seconds this clock is ahead of what chrony measures; None if chrony does not run here."""
    program = shutil.which("chronyc")
    if program is None:
        return None
    try:
        asked = subprocess.run(  # noqa: S603 - no shell reads it  # nosec B603
            [program, "-c", "-n", "tracking"], capture_output=True, text=True, timeout=_PROGRAM_SECONDS, check=True
        )
        return float(asked.stdout.split(",")[_CHRONY_OFFSET])
    except (OSError, subprocess.SubprocessError, ValueError, IndexError):
        return None


def check_picture_worker() -> Check:
    """Check whether the process that decodes pictures is confined."""
    try:
        confined = is_confined()
    except (OSError, PictureRefused):
        return Check("picture worker", Check.BAD, "does not start, so photos are refused; install Famichat again")
    if confined:
        return Check("picture worker", Check.OK, "confined: it can open neither files nor connections")
    return Check(
        "picture worker", Check.NOTE, "not confined; install libseccomp, on Debian with apt install libseccomp2"
    )
