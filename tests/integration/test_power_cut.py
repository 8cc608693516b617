"""A simulated power cut of the disk under SQLite, under load."""

import asyncio
import random
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.effort import repetitions
from tests.support.history import check
from tests.support.load import Load
from tests.support.model_server import Bug
from tests.support.scarce_disk import loop_disk
from tests.support.server import FamichatServer
from tests.support.talkers import KEYS, move_in, sqlite_in

CUTS = repetitions(3, long=50)


@pytest.mark.timeout(repetitions(120, long=1800))
async def test_nothing_acknowledged_is_lost_when_the_power_fails(tmp_path: Path) -> None:
    """Unlike a kill, a power cut loses data that the kernel has not synced: does an ack wait for the sync?"""
    moments = random.Random(4)  # noqa: S311 - the same storm each time
    with loop_disk(tmp_path) as disk:
        data_dir = disk.mount_point / "data"
        talkers = move_in(sqlite_in(data_dir))
        async with FamichatServer(data_dir, settings=KEYS, log=tmp_path / "server.log") as server:
            load = Load(server.socket_url, talkers.seats)
            async with load:
                for _ in range(CUTS):
                    await load.talk_on()
                    await asyncio.sleep(moments.uniform(0, 0.1))
                    server.kill(along_with=disk.cut_power)
                    disk.unmount()
                    disk.mount()
                    await server.start()
            history = await talkers.history(server.url, load.records)
            await server.stop()
        with closing(sqlite3.connect(data_dir / "famichat.db")) as connection:
            integrity = connection.execute("PRAGMA integrity_check").fetchall()

    assert check(history) == []
    assert integrity == [("ok",)]
    assert load.outcomes["acked"] > 10 * CUTS


@pytest.mark.timeout(120)
async def test_a_server_that_does_not_sync_is_caught(tmp_path: Path) -> None:
    """The last of the planted bugs: only a power cut reveals it."""
    with loop_disk(tmp_path) as disk:
        data_dir = disk.mount_point / "data"
        talkers = move_in(sqlite_in(data_dir))
        program = ("tests.support.sabotaged", Bug.SYNC_OFF)
        async with FamichatServer(data_dir, settings=KEYS, log=tmp_path / "server.log", program=program) as server:
            load = Load(server.socket_url, talkers.seats, patience=3)
            async with load:
                await load.talk_on()
                server.kill(along_with=disk.cut_power)
                disk.unmount()
                disk.mount()
                await server.start()
            history = await talkers.history(server.url, load.records)
            server.kill()

    assert "acked_lost" in {violation.name for violation in check(history)}
