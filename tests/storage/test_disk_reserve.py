from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from famichat.storage.database import Database
from famichat.storage.disk_reserve import DiskReserve
from famichat.storage.errors import StorageUnavailable
from tests.support.scarce_disk import fill, small_disk

KILOBYTE = 1024


def test_the_reserve_is_a_private_file_of_its_size(tmp_path: Path) -> None:
    path = tmp_path / "reserve"
    reserve = DiskReserve(path, 64 * KILOBYTE)

    assert reserve.hold()
    assert path.stat().st_size == 64 * KILOBYTE
    assert path.stat().st_mode & 0o777 == 0o600
    assert DiskReserve(path, 64 * KILOBYTE).hold(), "after a restart, too"


def test_a_reserve_makes_space_once(tmp_path: Path) -> None:
    reserve = DiskReserve(tmp_path / "reserve", 64 * KILOBYTE)
    reserve.hold()

    assert reserve.release()
    assert not (tmp_path / "reserve").exists()
    assert not reserve.release()
    assert not reserve.hold(), "it is created again after a second at the earliest"


def test_a_full_disk_has_no_room_for_the_reserve(tmp_path: Path) -> None:
    with small_disk(tmp_path, megabytes=1) as disk:
        fill(disk)

        assert not DiskReserve(disk / "reserve", 64 * KILOBYTE).hold()
        assert not (disk / "reserve").exists()


async def test_only_a_transaction_with_the_reserve_is_stored_on_a_full_disk(tmp_path: Path) -> None:
    def insert(session: Session) -> None:
        session.execute(text("INSERT INTO numbers VALUES (zeroblob(20000))"))

    with small_disk(tmp_path, megabytes=16) as disk:
        database = Database(f"sqlite:///{disk / 'famichat.db'}")
        await database.transaction(lambda session: session.execute(text("CREATE TABLE numbers (number BLOB)")))
        await database.reserve_disk_space()
        ballast = fill(disk)
        with pytest.raises(StorageUnavailable):
            await database.transaction(insert)

        for _ in range(20):
            await database.transaction_with_reserve(insert)
        with pytest.raises(StorageUnavailable):
            await database.transaction(insert)
        with pytest.raises(StorageUnavailable), database.journal_transaction():
            pass

        ballast.unlink()
        await database.transaction_with_reserve(insert)
        stored = await database.read(lambda session: session.execute(text("SELECT count(*) FROM numbers")).scalar_one())
        database.close()
    assert stored == 21
