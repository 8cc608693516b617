"""The plug is pulled on the disk under SQLite while people talk."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.history import check
from tests.support.load import Load
from tests.support.scarce_disk import loop_disk
from tests.support.server import FamichatServer
from tests.support.talkers import KEYS, move_in, sqlite_in

CUTS = 3


@pytest.mark.timeout(120)
async def test_nothing_acknowledged_is_lost_when_the_power_fails(tmp_path: Path) -> None:
    """Unlike a kill, a power cut forgets what the kernel had not yet synced: it shows whether an ack waits for that."""
    with loop_disk(tmp_path) as disk:
        data_dir = disk.mount_point / "data"
        talkers = move_in(sqlite_in(data_dir))
        async with FamichatServer(data_dir, settings=KEYS, log=tmp_path / "server.log") as server:
            load = Load(server.socket_url, talkers.seats)
            async with load:
                for _ in range(CUTS):
                    await load.talk_on()
                    disk.cut_power()
                    await asyncio.sleep(0.3)  # whoever talks on now must not be acknowledged
                    server.kill()
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
