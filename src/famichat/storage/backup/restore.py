"""Restores a backup atomically into an empty data directory and database.

Everything is unpacked into a staging directory and verified there: checksums, database integrity, schema, keys. The
copy gets a new epoch, because clients may have seen messages that it lacks. The final step is atomic: a rename on
SQLite, a commit on PostgreSQL. A restore that is killed earlier leaves no server behind and can be repeated.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from sqlalchemy import text
from sqlalchemy.orm import Session

from famichat.storage.backup import archive, postgres_programs
from famichat.storage.backup.archive import BackupDamaged, Manifest
from famichat.storage.backup.backup import check_file, check_keys
from famichat.storage.base import new_id
from famichat.storage.data_dir import DATABASE_ID, LAST_BACKUP, DataDir, Secrets, sync_directory
from famichat.storage.database import Database
from famichat.storage.epoch import begin_new_epoch
from famichat.storage.errors import StorageError
from famichat.storage.migrate import upgrade
from famichat.storage.revision import NewerDatabaseError, is_known

_STAGING, _PRIVATE_DIR = ".restore-", 0o700
# "files": encrypted files left by a killed attempt; they are restored again.
_HARMLESS = {
    "famichat.lock",
    "famichat.db-reserve",
    "secrets.json",
    "lost+found",
    LAST_BACKUP,
    DATABASE_ID,
    archive.FILES,
}
_HARMLESS |= {"famichat.db-reserve"}  # see `storage.disk_reserve`
_DRAFTS = (_STAGING, "secrets.")  # left by a killed attempt


class NotEmpty(StorageError):
    """The target is not empty. Nothing was changed."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what}. Move it away first, or restore to another place")


class KeysNotInBackup(StorageError):
    """The backup contains no keys, and none are configured."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"The backup does not contain its keys. Copy them to {path}, "
            "or set FAMICHAT_SECRET_KEY and FAMICHAT_VAULT_KEYS, and restore again"
        )


class OtherDatabase(StorageError):
    """The backup was taken from the other kind of database."""

    def __init__(self, of: str) -> None:
        super().__init__(f"This backup is from {of} and cannot be restored into another kind of database")


@dataclass(frozen=True, slots=True)
class Restored:
    """The result of a restore.

    Attributes:
        manifest: the backup's metadata.
        epoch: the new database epoch.
    """

    manifest: Manifest
    epoch: str


@dataclass(frozen=True, slots=True)
class Place:
    """The target of a restore.

    Attributes:
        data_dir: the data directory, locked.
        url: the database URL.
        files_dir: the directory for attachment files.
        secret_key: configured by the operator; takes precedence over the backup's.
        vault_keys: likewise, by version.
    """

    data_dir: DataDir
    url: str
    files_dir: Path
    secret_key: str | None = None
    vault_keys: dict[int, bytes] | None = None


def restore(stream: IO[bytes], place: Place) -> Restored:
    """Restore a backup.

    Raises:
        NotEmpty: the target contains data.
        BackupDamaged: the backup is incomplete or modified.
        OtherDatabase: it was taken from another kind of database.
        NewerDatabaseError: it was taken by a newer version of Famichat.
        KeysNotInBackup, WrongKeys: the keys are missing or wrong, so the data would be unreadable.
        ProgramMissing, ProgramFailed: `pg_restore` or `psql` is missing or failed.
        OSError: the disk is full, or permission is missing.
    """
    database = Database(place.url)
    try:
        _check_empty(place, database)
        with _staging(place, database) as folder:
            manifest = archive.read(stream, folder)
            _check_fits(manifest, database)
            keys = _keys(manifest, folder, place)
            return Restored(manifest, _restore_data(folder, place, database, keys))
    finally:
        database.close()


def _restore_data(folder: Path, place: Place, database: Database, keys: Secrets | None) -> str:
    copy = folder / archive.DATABASES[database.dialect]
    postgres = database.dialect == "postgresql"
    epoch = _script(copy) if postgres else _renamed(copy)
    if keys is not None:
        place.data_dir.restore_secrets(keys)  # keys first: a database without keys would get new ones
    _move_files(folder / archive.FILES, place.files_dir)
    if postgres:
        script = f"--file={copy.with_suffix('.sql')}"
        options = ("--no-psqlrc", "--quiet", "--single-transaction", "--set=ON_ERROR_STOP=1", script)
        postgres_programs.run("psql", *options, url=database.url)
    else:
        target = Path(str(database.url.database))
        copy.rename(target)
        sync_directory(target.parent)
    place.data_dir.forget_database()  # the next start records the restored one
    return epoch


def _move_files(staged: Path, target: Path) -> None:
    """Move files to their directory, which may be on another disk."""
    for folder in sorted(staged.glob("*")):
        (target / folder.name).mkdir(mode=_PRIVATE_DIR, parents=True, exist_ok=True)
        for path in folder.iterdir():
            moved = Path(shutil.move(path, target / folder.name / path.name))
            with moved.open("rb") as file:
                os.fsync(file.fileno())
        sync_directory(target / folder.name)


def _script(dump: Path) -> str:
    """Write the script that `psql` runs in one transaction: the dump, then the new epoch. Returns the epoch."""
    script, epoch = dump.with_suffix(".sql"), new_id()
    postgres_programs.run("pg_restore", "--no-owner", "--no-privileges", f"--file={script}", str(dump))
    with script.open("a", encoding="utf-8") as file:
        # pg_dump empties the search path as a safeguard, so restore it before naming a table.
        file.write(f"\nRESET search_path;\nUPDATE history SET epoch = '{epoch}';\n")  # nosec B608 - an id generated above
    return epoch


def _renamed(copy: Path) -> str:
    """Check a copy of an SQLite database, migrate it and start a new epoch, which is returned."""
    check_file(copy)
    database = Database(f"sqlite:///{copy}")
    try:
        upgrade(database)
        epoch = database.run(begin_new_epoch)
    finally:
        database.close()
    if copy.with_name(f"{copy.name}-wal").exists():
        raise BackupDamaged("the database could not be closed")
    with copy.open("rb") as file:
        os.fsync(file.fileno())
    return epoch


def _check_empty(place: Place, database: Database) -> None:
    here = place.data_dir.path
    left = sorted(each.name for each in here.iterdir() if not _is_harmless(each.name))
    if left:
        raise NotEmpty(f"{here} is not empty: it contains {left[0]}")
    if database.dialect == "postgresql" and database.run_read(_has_tables):
        raise NotEmpty("The database is not empty")
    file = Path(str(database.url.database))
    if database.dialect == "sqlite" and any(file.with_name(file.name + end).exists() for end in ("", "-wal", "-shm")):
        raise NotEmpty(f"There is already a database at {file}")


def _is_harmless(name: str) -> bool:
    return name in _HARMLESS or name.startswith(_DRAFTS)


def _has_tables(session: Session) -> bool:
    found = text("SELECT EXISTS (SELECT FROM pg_tables WHERE schemaname = ANY (current_schemas(false)))")
    return bool(session.execute(found).scalar_one())


def _check_fits(manifest: Manifest, database: Database) -> None:
    if manifest.database != database.dialect:
        raise OtherDatabase({"sqlite": "SQLite", "postgresql": "PostgreSQL"}[manifest.database])
    if not is_known(manifest.revision):
        raise NewerDatabaseError(manifest.revision)


def _keys(manifest: Manifest, folder: Path, place: Place) -> Secrets | None:
    """Return the keys to store, or None, after verifying the keys that will be in effect."""
    inside = folder / archive.SECRETS
    try:
        found = Secrets.from_json(inside.read_text(encoding="utf-8")) if inside.exists() else None
    except ValueError as error:
        raise BackupDamaged("the keys are unreadable") from error
    if place.secret_key is not None and place.vault_keys is not None:
        check_keys(manifest, Secrets(place.secret_key, place.vault_keys))
        return found
    here = place.data_dir.secrets() if place.data_dir.secrets_file.exists() else None
    kept = _together(here, found)
    if kept is None:
        raise KeysNotInBackup(place.data_dir.secrets_file)
    check_keys(manifest, Secrets(place.secret_key or kept.secret_key, place.vault_keys or kept.vault_keys))
    return None if kept == here else kept


def _together(here: Secrets | None, found: Secrets | None) -> Secrets | None:
    """Merge the local keys with the backup's, if of the same server: the backup may predate a rotation."""
    if here is None or found is None or here.secret_key != found.secret_key:
        return here or found
    return Secrets(here.secret_key, {**found.vault_keys, **here.vault_keys})


@contextmanager
def _staging(place: Place, database: Database) -> Iterator[Path]:
    """Yield a staging directory on the target's file system, after removing those of killed attempts."""
    parent = Path(str(database.url.database)).parent if database.dialect == "sqlite" else place.data_dir.path
    for left in parent.glob(f"{_STAGING}*"):
        shutil.rmtree(left)
    with tempfile.TemporaryDirectory(prefix=_STAGING, dir=parent) as name:
        yield Path(name)
