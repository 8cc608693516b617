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
from famichat.storage.data_dir import (
    DATABASE_ID,
    LAST_BACKUP,
    LAST_VERIFIED,
    LOST_ACCESS,
    DataDir,
    Secrets,
    sync_directory,
)
from famichat.storage.database import Database
from famichat.storage.epoch import begin_new_epoch, new_epoch_script
from famichat.storage.errors import StorageError
from famichat.storage.revision import NewerDatabaseError, is_known

_STAGING, _PRIVATE_DIR = ".restore-", 0o700
# "files": encrypted files left by a killed attempt; they are restored again.
_HARMLESS = {
    "famichat.lock",
    "famichat.db-reserve",  # see `storage.disk_reserve`
    "secrets.json",
    "lost+found",
    LAST_BACKUP,
    LAST_VERIFIED,
    DATABASE_ID,
    LOST_ACCESS,
    archive.FILES,
}
_DRAFTS = (_STAGING, "secrets.", f"{LOST_ACCESS}.")  # left by a killed attempt


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
        by_own_keys: whether keys that were known here authenticated it; see `BackupKeys`.
    """

    manifest: Manifest
    epoch: str
    by_own_keys: bool


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


def restore(
    stream: IO[bytes], place: Place, *, accept_unauthenticated: bool = False, lost_access: str | None = None
) -> Restored:
    """Restore a backup.

    Args:
        stream: the backup.
        place: where to restore it.
        accept_unauthenticated: whether to restore a backup without a valid HMAC.
        lost_access: stored in the data directory before the final step, for `app.lost_access.remove_noted`.

    Raises:
        NotEmpty: the target contains data.
        BackupDamaged: the backup is incomplete or damaged.
        BackupNotAuthentic: it was changed, or an older Famichat made it.
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
            check_fits(manifest, place.url)
            keys = keys_of(manifest, folder, place)
            if not accept_unauthenticated:
                archive.check_authentic(folder, keys.effective.secret_key)
            place.data_dir.forget_lost_access()  # of a restore that failed
            if lost_access is not None:
                place.data_dir.note_lost_access(lost_access)
            return Restored(manifest, _restore_data(folder, place, database, keys.to_store), keys.are_own)
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
        file.write(f"\nRESET search_path;\n{new_epoch_script(epoch)}")
    return epoch


def _renamed(copy: Path) -> str:
    """Check a copy of an SQLite database, migrate it and start a new epoch, which is returned."""
    from famichat.storage.migrate import upgrade  # noqa: PLC0415 - loads a large library

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


def check_fits(manifest: Manifest, url: str) -> None:
    """Check that a backup can be restored into a database of this kind by this version of Famichat.

    Raises:
        OtherDatabase: it is of another kind of database.
        NewerDatabaseError: a newer version of Famichat made it.
    """
    if not url.startswith(manifest.database):
        raise OtherDatabase({"sqlite": "SQLite", "postgresql": "PostgreSQL"}[manifest.database])
    if not is_known(manifest.revision):
        raise NewerDatabaseError(manifest.revision)


@dataclass(frozen=True, slots=True)
class BackupKeys:
    """The keys of an unpacked backup.

    Attributes:
        effective: those that will be in effect: from the settings, the data directory and the backup.
        to_store: what to write to `secrets.json`; None if it has everything.
        are_own: whether the secret key was known here, so that the backup's HMAC proves its origin. A backup that
            brings its keys along could have been made by anyone who had an earlier one.
    """

    effective: Secrets
    to_store: Secrets | None
    are_own: bool


def keys_of(manifest: Manifest, folder: Path, place: Place) -> BackupKeys:
    """Return the keys of an unpacked backup, after verifying that they belong to it.

    Raises:
        BackupDamaged: the keys in the backup are unreadable.
        KeysNotInBackup, WrongKeys: the keys are missing or wrong.
    """
    here = place.data_dir.secrets() if place.data_dir.secrets_file.exists() else None
    kept = _together(here, _keys_inside(folder))
    secret_key, vault_keys = place.secret_key, place.vault_keys
    if kept is not None:
        secret_key, vault_keys = secret_key or kept.secret_key, vault_keys or kept.vault_keys
    if secret_key is None or vault_keys is None:
        raise KeysNotInBackup(place.data_dir.secrets_file)
    effective = Secrets(secret_key, vault_keys)
    check_keys(manifest, effective)
    is_own = place.secret_key is not None or here is not None
    return BackupKeys(effective, None if kept == here else kept, is_own)


def _keys_inside(folder: Path) -> Secrets | None:
    inside = folder / archive.SECRETS
    try:
        return Secrets.from_json(inside.read_text(encoding="utf-8")) if inside.exists() else None
    except ValueError as error:
        raise BackupDamaged("the keys are unreadable") from error


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
