"""Scheduled backups: when they are made, verified and deleted, and the backup before a migration."""

from datetime import timedelta
from pathlib import Path

import pyrage  # type: ignore[import-untyped]  # has no types
import pytest
from alembic import command
from sqlalchemy import select, update

from famichat.app import backups
from famichat.app.backups import BackupBeforeMigrationFailed, ScheduledBackups, before_migration
from famichat.settings import Settings, load_settings
from famichat.storage.backup.encryption import HEADER
from famichat.storage.backup.record import BackupRecord, backup_times
from famichat.storage.backup.retention import BackupNames
from famichat.storage.base import now
from famichat.storage.data_dir import DataDir
from famichat.storage.database import Database
from famichat.storage.epoch import DatabaseEpoch, database_id
from famichat.storage.migrate import _config
from famichat.storage.opening import open_database
from famichat.storage.revision import newest
from famichat.telemetry.events import BackupFailed, BackupMade, BackupVerified, Event
from tests.factories.people import SECRET, Household
from tests.support.app import VAULT_KEYS
from tests.support.operator import Operator


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    return load_settings(
        data_dir=tmp_path / "data", database_url=database_url, secret_key=SECRET, vault_keys=VAULT_KEYS
    )


@pytest.fixture
def operator(tmp_path: Path) -> Operator:
    return Operator(tmp_path / "data")


@pytest.fixture
def schedule(settings: Settings, database: Database, household: Household) -> ScheduledBackups:
    settings.data_dir.mkdir(exist_ok=True)
    return ScheduledBackups(settings, database)


def files(settings: Settings) -> list[str]:
    return sorted(path.name for path in settings.effective_backup_dir.iterdir())


async def test_a_backup_is_made_once_and_recorded(
    schedule: ScheduledBackups, settings: Settings, database: Database, emitted: list[Event]
) -> None:
    await schedule.once()
    await schedule.once()

    (name,) = files(settings)
    record = database.run_read(lambda session: session.execute(select(BackupRecord)).scalar_one())
    assert (record.file, record.error, record.verified_at) == (name, None, None)
    assert record.bytes == (settings.effective_backup_dir / name).stat().st_size
    assert schedule.last_made >= record.started_at.timestamp()
    assert [type(event) for event in emitted if isinstance(event, (BackupMade, BackupFailed))] == [BackupMade]
    assert DataDir(settings.data_dir).last_backup() is not None


async def test_a_backup_is_verified_if_none_was_for_a_week(
    schedule: ScheduledBackups, settings: Settings, database: Database, emitted: list[Event]
) -> None:
    old = now() - timedelta(days=8)
    database.run(lambda session: session.execute(update(DatabaseEpoch).values(began_at=old)))
    await schedule.once()
    database.run(lambda session: session.execute(update(DatabaseEpoch).values(began_at=now())))  # for later tests

    assert [event for event in emitted if isinstance(event, BackupFailed)] == []
    assert len([event for event in emitted if isinstance(event, BackupVerified)]) == 1
    assert database.run_read(backup_times).verified_at is not None
    assert now().timestamp() - schedule.last_verified < 60


async def test_scheduled_backups_are_encrypted_to_the_recipient_of_the_settings(
    settings: Settings, database: Database, household: Household, emitted: list[Event]
) -> None:
    recipient = str(pyrage.x25519.Identity.generate().to_public())
    settings.data_dir.mkdir(exist_ok=True)
    await ScheduledBackups(settings.model_copy(update={"backup_recipient": recipient}), database).once()

    (name,) = files(settings)
    assert name.endswith(".tar.age")
    assert (settings.effective_backup_dir / name).read_bytes().startswith(HEADER)
    assert [type(event) for event in emitted if isinstance(event, (BackupMade, BackupFailed))] == [BackupMade]


async def test_expired_backups_are_deleted_and_files_of_others_stay(
    schedule: ScheduledBackups, settings: Settings, database: Database
) -> None:
    names = BackupNames(database.run_read(database_id), "daily")
    folder = settings.effective_backup_dir
    folder.mkdir()
    (folder / "famichat.tar").touch()
    for days in range(1, 40):
        (folder / names.at(now() - timedelta(days=days))).touch()
    await schedule.once()

    assert "famichat.tar" in files(settings)
    assert 8 <= len(names.of(folder)) <= 11


async def test_a_backup_that_fails_is_reported_and_leaves_nothing(
    schedule: ScheduledBackups, settings: Settings, database: Database, emitted: list[Event]
) -> None:
    settings.effective_backup_dir.write_text("a file instead of a directory")
    await schedule.once()

    assert [event.step for event in emitted if isinstance(event, BackupFailed)] == ["make"]
    made = database.run_read(backup_times)
    assert (made.made_at, made.tried_at is None) == (None, False)


async def test_without_room_the_oldest_backups_are_deleted_but_not_the_last_two(
    schedule: ScheduledBackups, settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = BackupNames(database.run_read(database_id), "daily")
    folder = settings.effective_backup_dir
    folder.mkdir()
    for days in (1, 2, 3):
        (folder / names.at(now() - timedelta(days=days))).touch()
    monkeypatch.setattr(backups, "_ROOM_FACTOR", 10.0**12)
    await schedule.once()

    assert [(now() - made_at).days for made_at in names.of(folder)] == [2, 1]


async def test_a_file_that_is_deleted_while_the_room_is_measured_stops_no_backup(
    schedule: ScheduledBackups, settings: Settings, emitted: list[Event]
) -> None:
    folder = settings.effective_files_dir / "ab"
    folder.mkdir(parents=True)
    (folder / "deleted").symlink_to(folder / "absent")  # listed, and not found when it is looked at
    await schedule.once()

    assert [event for event in emitted if isinstance(event, BackupFailed)] == []
    assert len(files(settings)) == 1


@pytest.mark.parametrize(
    "database_url", ["postgresql"], indirect=True
)  # SQLite: one server, which holds the lock of the data directory
async def test_of_several_servers_one_makes_the_backup(
    schedule: ScheduledBackups, settings: Settings, database: Database
) -> None:
    with database.only_one(backups._LOCK) as is_mine:
        await schedule.once()

    assert is_mine
    assert not settings.effective_backup_dir.exists()


def older(operator: Operator, revision: str = "0017") -> Settings:
    """Make a database of an older schema, which has recorded no vault keys."""
    settings = Settings(data_dir=operator.data_dir)
    DataDir(operator.data_dir).secrets()
    database = Database(settings.effective_database_url)
    with database.migrating() as connection:
        command.upgrade(_config(connection), revision)
    database.close()
    return settings


@pytest.mark.parametrize("revision", ["0001", "0017"])
def test_the_database_is_backed_up_before_a_migration(operator: Operator, revision: str, tmp_path: Path) -> None:
    settings = older(operator, revision)
    operator("migrate")
    (name,) = files(settings)
    file = str(settings.effective_backup_dir / name)

    assert "-before-" in name
    assert operator("backup", "verify", file)["revision"] == revision
    operator("migrate")
    assert files(settings) == [name]
    restored = Operator(tmp_path / "restored")
    DataDir(restored.data_dir).restore_secrets(DataDir(operator.data_dir).secrets())
    assert restored("restore", file)["revision"] == revision


def test_a_database_that_cannot_be_backed_up_is_not_migrated(operator: Operator) -> None:
    settings = older(operator)
    settings.effective_backup_dir.write_text("a file instead of a directory")

    assert operator.refused("migrate") == "backup_failed"
    with pytest.raises(BackupBeforeMigrationFailed):
        open_database(settings.effective_database_url, DataDir(settings.data_dir), before_migration(settings))
    assert operator("migrate", "--without-backup")["revision"] == newest()
