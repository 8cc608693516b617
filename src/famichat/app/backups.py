"""Makes, verifies and deletes backups by a schedule, and makes one before each migration."""

import asyncio
import shutil
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import IO, Any, cast

from sqlalchemy import update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from famichat.attachments.sample import open_newest_files
from famichat.settings import Settings
from famichat.storage.backup.archive import Manifest
from famichat.storage.backup.backup import Server, backup
from famichat.storage.backup.encryption import encrypted
from famichat.storage.backup.record import BackupRecord, backup_times
from famichat.storage.backup.restore import Place
from famichat.storage.backup.retention import BackupNames, kept
from famichat.storage.backup.schedule import next_due
from famichat.storage.backup.staging import staging
from famichat.storage.backup.verify import verify
from famichat.storage.backup.whole_file import whole_file
from famichat.storage.base import new_id, now
from famichat.storage.data_dir import DataDir
from famichat.storage.database import Database
from famichat.storage.epoch import database_id
from famichat.storage.errors import StorageError, StorageUnavailable, UnsealError
from famichat.storage.size import database_bytes
from famichat.telemetry import emit, events

FIRST_SECONDS = 120.0
_CHECK_SECONDS = 300.0
_VERIFY_EVERY = timedelta(days=7)
_ROOM_FACTOR = 1.2
_LEAST_KEPT = 2
_LOCK = 0x66616D62  # one of the servers of a database makes its backups
_EXPECTED = (StorageError, UnsealError, OSError, SQLAlchemyError)


class NoRoomForBackup(StorageError):
    """The disk has no room for another backup."""

    def __init__(self, folder: Path, needed: int) -> None:
        super().__init__(
            f"{folder} has no room for a backup, which needs {-(-needed // 1024**2)} MiB. Make room on the disk, or "
            "set FAMICHAT_BACKUP_DIR to a directory on another one"
        )


class BackupBeforeMigrationFailed(StorageError):
    """The database was not migrated, because it could not be backed up first."""

    def __init__(self, cause: Exception) -> None:
        super().__init__(
            f"Before an upgrade, the database is backed up, and this failed: {cause}. Nothing was changed. Correct it, "
            "or run `famichat migrate --without-backup`"
        )


class ScheduledBackups:
    """Makes a backup every day between 2 and 5 o'clock local time, or later if the server was off.

    Args:
        settings: where the data and the backups are.
        database: the database.

    Attributes:
        last_made: Unix time of the last backup, of the schedule or of an operator; of the creation of the database if
            there is none.
        last_verified: Unix time of the last verification; likewise.
    """

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings = settings
        self._database = database
        self._data_dir = DataDir(settings.data_dir)
        self._folder = settings.effective_backup_dir
        self._stopping = threading.Event()
        self.last_made = self.last_verified = time.time()

    async def run(self) -> None:
        """Check every five minutes whether a backup is due, until cancelled."""
        self._stopping.clear()
        pause = FIRST_SECONDS
        try:
            while True:
                await self._look_up()
                await asyncio.sleep(pause)
                pause = _CHECK_SECONDS
                if self._settings.backup_schedule == "daily":
                    await self.once()
        finally:
            self._stopping.set()

    async def once(self) -> None:
        """Make a backup if one is due, and verify it if none was verified for a week."""
        loop = asyncio.get_running_loop()

        def store(work: Callable[[Session], Any]) -> None:
            asyncio.run_coroutine_threadsafe(self._database.transaction(work), loop).result()

        with suppress(StorageUnavailable):  # the database has reported it; the next check tries again
            await asyncio.to_thread(self._make_if_due, store)
        await self._look_up()

    async def _look_up(self) -> None:
        try:
            times = await self._database.read(backup_times)
            by_operator = await asyncio.to_thread(self._data_dir.last_backup)
            verified = await asyncio.to_thread(self._data_dir.last_verified)
        except (StorageUnavailable, OSError, ValueError):
            return
        self.last_made = max(each for each in (times.began_at, times.made_at, by_operator) if each).timestamp()
        self.last_verified = max(each for each in (times.began_at, times.verified_at, verified) if each).timestamp()

    def _make_if_due(self, store: Callable[[Callable[[Session], Any]], None]) -> None:
        with self._database.only_one(_LOCK) as is_mine:
            if not is_mine:
                return
            times, id_ = self._database.run_read(lambda session: (backup_times(session), database_id(session)))
            if next_due(times, id_, now()) > now():
                return
            recipient = self._settings.backup_recipient
            record = self._make(BackupNames(id_, "daily", is_encrypted=recipient is not None))
            store(lambda session: session.add(record))
            # Only the owner of the identity can read, and so verify, an encrypted backup.
            if (
                recipient is None
                and record.error is None
                and (times.verified_at or times.began_at) < now() - _VERIFY_EVERY
            ):
                values = self._verified(self._folder / record.file)
                store(lambda session: session.execute(update(BackupRecord).filter_by(id=record.id).values(**values)))

    def _make(self, names: BackupNames) -> BackupRecord:
        started_at, began = now(), time.monotonic()
        record = BackupRecord(id=new_id(), started_at=started_at, file=names.at(started_at), bytes=0, messages=0)
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._make_room(names)
            manifest = write_backup(self._settings, self._database, self._folder / record.file, self._stopping)
            self._data_dir.note_backup(datetime.fromisoformat(manifest.made_at))
            record.bytes, record.messages = (self._folder / record.file).stat().st_size, manifest.messages
            self._delete_expired(names)
        except InterruptedError:
            raise  # the server stops; its next start tries again
        except _EXPECTED as error:
            record.error = type(error).__name__
            emit(events.BackupFailed(step="make", error_type=record.error))
        else:
            emit(events.BackupMade(bytes=record.bytes, duration_seconds=time.monotonic() - began))
        record.finished_at = now()
        return record

    def _verified(self, file: Path) -> dict[str, Any]:
        """Verify a backup. Returns what to record about it."""
        try:
            with file.open("rb") as stream, staging(self._data_dir.path, self._data_dir) as folder:
                found = verify(stream, place_of(self._settings), folder, open_newest_files)
        except _EXPECTED as error:
            emit(events.BackupFailed(step="verify", error_type=type(error).__name__))
            return {"error": type(error).__name__}
        self._data_dir.note_verified(now())
        emit(events.BackupVerified(values=found.values, files=found.files))
        return {"verified_at": now()}

    def _make_room(self, names: BackupNames) -> None:
        """Delete the oldest backups, but not the last two, until another one fits on the disk."""
        needed = self._database.run_read(lambda session: _bytes_needed(session, self._settings.effective_files_dir))
        existing = [*names.of(self._folder).values()]
        while shutil.disk_usage(self._folder).free < needed:
            if len(existing) <= _LEAST_KEPT:
                raise NoRoomForBackup(self._folder, needed)
            existing.pop(0).unlink(missing_ok=True)

    def _delete_expired(self, names: BackupNames) -> None:
        existing = names.of(self._folder)
        for made_at in existing.keys() - kept(existing):
            existing[made_at].unlink(missing_ok=True)


def before_migration(settings: Settings) -> Callable[[Database], None] | None:
    """Return what to do before a migration: a backup, unless the operator makes them in another way."""
    return partial(back_up_before_migration, settings) if settings.backup_schedule == "daily" else None


def back_up_before_migration(settings: Settings, database: Database) -> None:
    """Back a database up, before it is migrated.

    Raises:
        BackupBeforeMigrationFailed: it could not be backed up.
    """
    id_, is_encrypted = database.run_read(database_id), settings.backup_recipient is not None
    folder, names = settings.effective_backup_dir, BackupNames(id_, "before", is_encrypted=is_encrypted)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        needed = database.run_read(lambda session: _bytes_needed(session, settings.effective_files_dir))
        if shutil.disk_usage(folder).free < needed:
            raise NoRoomForBackup(folder, needed)
        write_backup(settings, database, folder / names.at(now()), threading.Event())
    except _EXPECTED as error:
        raise BackupBeforeMigrationFailed(error) from error
    for path in [*names.of(folder).values()][:-_LEAST_KEPT]:
        path.unlink(missing_ok=True)


def write_backup(settings: Settings, database: Database, target: Path, stopping: threading.Event) -> Manifest:
    """Write a backup without the keys, encrypted if the settings say so. `target` is created whole, or not at all.

    Args:
        settings: where the data is.
        database: the database.
        target: the file to create.
        stopping: ends the backup early with InterruptedError when it is set.

    Raises:
        OSError, StorageError, SQLAlchemyError: see `backup`.
    """
    data_dir = DataDir(settings.data_dir)
    keys = settings.secret_key, settings.vault_keys
    server = Server(database, lambda: data_dir.secrets(*keys), settings.effective_files_dir)
    with whole_file(target, data_dir) as (file, folder), encrypted_to(settings.backup_recipient, file) as stream:
        return backup(server, cast("IO[bytes]", _Stoppable(stream, stopping)), folder, with_secrets=False)


def encrypted_to(recipient: str | None, file: IO[bytes]) -> AbstractContextManager[IO[bytes]]:
    """Return what to write a backup to: `file` itself without a recipient; otherwise it is encrypted to this one."""
    return nullcontext(file) if recipient is None else encrypted(file, recipient)


def place_of(settings: Settings) -> Place:
    """Return the server of these settings, as the target of a restore or for its keys."""
    where = settings.effective_database_url, settings.effective_files_dir
    return Place(DataDir(settings.data_dir), *where, settings.secret_key, settings.vault_keys)


class _Stoppable:
    """A stream that refuses to be written to when the server stops, so that a long backup does not delay it."""

    def __init__(self, stream: IO[bytes], stopping: threading.Event) -> None:
        self._stream = stream
        self._stopping = stopping

    def write(self, data: bytes) -> int:
        """Write, or raise InterruptedError."""
        if self._stopping.is_set():
            raise InterruptedError("the server stops")
        return self._stream.write(data)


def _bytes_needed(session: Session, files_dir: Path) -> int:
    files = 0
    for path in files_dir.glob("??/*"):
        with suppress(FileNotFoundError):  # deleted meanwhile
            files += path.stat().st_size
    return int((2 * database_bytes(session) + files) * _ROOM_FACTOR)
