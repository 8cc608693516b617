"""What family admins read about backups."""

from datetime import timedelta
from pathlib import Path

from sqlalchemy import update
from sqlalchemy.orm import Session

from famichat.storage.backup.record import BackupRecord
from famichat.storage.base import new_id, now
from famichat.storage.data_dir import DataDir
from famichat.storage.database import Database
from famichat.storage.epoch import DatabaseEpoch
from tests.support.app import RunningApp


def tried(database: Database, days: int, *, size: int = 0, error: str | None = None, is_verified: bool = False) -> None:
    """Record a scheduled backup of some days ago."""
    at = now() - timedelta(days=days)

    def work(session: Session) -> None:
        verified_at = at if is_verified else None
        session.add(
            BackupRecord(
                id=new_id(),
                started_at=at,
                finished_at=at,
                file="x.tar",
                bytes=size,
                messages=0,
                verified_at=verified_at,
                error=error,
            )
        )

    database.run(work)


def began(database: Database, *, days: int) -> None:
    """Make the database as old as this."""
    at = now() - timedelta(days=days)
    database.run(lambda session: session.execute(update(DatabaseEpoch).values(began_at=at)))


async def test_an_admin_reads_when_the_server_was_backed_up_and_what_failed(
    app: RunningApp, database: Database, tmp_path: Path
) -> None:
    path = f"/families/{app.home.family_id}/backups"
    async with app.http(app.home.maja) as http:
        first = (await http.get(path)).json()
        began(database, days=9)
        without = (await http.get(path)).json()
        began(database, days=0)  # later tests use the same database
        tried(database, 5, size=1, is_verified=True)
        tried(database, 4, size=1, error="BackupDamaged")
        unverified = (await http.get(path)).json()
        tried(database, 1, error="OSError")
        failed = (await http.get(path)).json()
        DataDir(tmp_path / "data").note_backup(now())
        by_operator = (await http.get(path)).json()

    assert (first["last_at"], first["verified_at"], first["problem"], first["overdue"]) == (None, None, None, False)
    assert first["next_at"] is not None
    assert (without["last_at"], without["overdue"]) == (None, True)
    assert unverified["verified_at"] < unverified["last_at"] < unverified["next_at"]
    assert (unverified["problem"], unverified["overdue"]) == ("not_verified", True)
    assert (failed["problem"], failed["last_at"], failed["overdue"]) == ("not_made", unverified["last_at"], True)
    assert by_operator["last_at"] > failed["last_at"]
    assert by_operator["overdue"] is False
