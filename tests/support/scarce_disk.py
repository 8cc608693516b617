"""Disks that lose power or run full, for tests that may mount them (root, loop devices)."""

import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import pytest

EXT4_IOC_SHUTDOWN: Final = 0x8004587D
NO_LOG_FLUSH: Final = 2  # uncommitted journal data is lost, as in a power cut


class LoopDisk:
    """A separate ext4 file system in a file; its power can be cut while a server writes to it.

    A cut loses everything that was not synced; it does not tear sectors.
    """

    def __init__(self, folder: Path, megabytes: int = 64) -> None:
        self.mount_point = folder / "disk"
        self._image = folder / "disk.img"
        self.mount_point.mkdir()
        with self._image.open("wb") as image:
            image.truncate(megabytes * 1024 * 1024)
        _run("mkfs.ext4", "-q", "-F", self._image)
        self.mount()

    def mount(self) -> None:
        _run("mount", "-o", "loop", self._image, self.mount_point)

    def cut_power(self) -> None:
        """Cut the power: from now on every write fails."""
        descriptor = os.open(self.mount_point, os.O_RDONLY)
        try:
            fcntl.ioctl(descriptor, EXT4_IOC_SHUTDOWN, NO_LOG_FLUSH.to_bytes(4, "little"))
        finally:
            os.close(descriptor)

    def unmount(self) -> None:
        _run("umount", self.mount_point)


@contextmanager
def loop_disk(folder: Path) -> Iterator[LoopDisk]:
    """A fresh disk; skips the test, saying why, where this machine does not let it be mounted."""
    _need_root("a disk whose power can be cut")
    try:
        disk = LoopDisk(folder)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no ext4 on a loop device here: {_reason(error)}")
    try:
        yield disk
    finally:
        with suppress(subprocess.CalledProcessError):  # the test may have ended between unmount and mount
            disk.unmount()


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Path]:
    """A tmpfs that is soon full; skips the test, saying why, where it cannot be mounted."""
    _need_root("a small tmpfs")
    mount_point = folder / "small"
    mount_point.mkdir()
    try:
        _run("mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", mount_point)
    except subprocess.CalledProcessError as error:
        pytest.skip(f"no tmpfs can be mounted here: {_reason(error)}")
    try:
        yield mount_point
    finally:
        _run("umount", mount_point)


def fill(folder: Path) -> Path:
    """Leave no room at all on the disk of `folder`; deleting the answered file makes room again."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file, suppress(OSError):  # "no space left" is the aim
        while file.write(bytes(shutil.disk_usage(folder).free or 4096)):
            pass
    return ballast


def _need_root(what: str) -> None:
    if os.geteuid() != 0:
        pytest.skip(f"needs root to mount {what}")


def _run(*command: object) -> None:
    subprocess.run([str(word) for word in command], check=True, capture_output=True)


def _reason(error: OSError | subprocess.CalledProcessError) -> str:
    output = error.stderr if isinstance(error, subprocess.CalledProcessError) else str(error).encode()
    return str(output, errors="replace").strip()
