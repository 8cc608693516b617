"""Puts a backup back, where no server has been yet: wholly, or not at all.

Everything is unpacked beside its place and looked at there: sums, the database from end to end, the schema, the keys.
The copy gets the name of a new history, because clients may have seen more than it holds. What makes it a server comes
last and is one step: on SQLite a rename, on PostgreSQL a commit. Killed before that, there is none, and one may try
again.
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
from famichat.storage.data_dir import DataDir, Secrets, sync_directory
from famichat.storage.database import Database
from famichat.storage.epoch import begin_new_epoch
from famichat.storage.errors import StorageError
from famichat.storage.migrate import NewerDatabaseError, is_known, upgrade

_STAGING, _PRIVATE_DIR = ".restore-", 0o700
# "files": sealed files whose names are ids, of an attempt that was killed; they are put back again.
_HARMLESS = {"famichat.lock", "secrets.json", "lost+found", archive.FILES}
_DRAFTS = (_STAGING, "secrets.")  # of an attempt that was killed


class NotEmpty(StorageError):
    """Something is there already, and nothing of it was touched."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what}. Move it away first, or restore to another place")


class KeysNotInBackup(StorageError):
    """The backup was made without its keys, and they are not here either."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"The backup does not contain its keys. Copy them to {path}, "
            "or set FAMICHAT_SECRET_KEY and FAMICHAT_VAULT_KEYS, and restore again"
        )


class OtherDatabase(StorageError):
    """The backup is of the other kind of database."""

    def __init__(self, of: str) -> None:
        super().__init__(f"This backup is from {of} and cannot be restored into another kind of database")


@dataclass(frozen=True, slots=True)
class Restored:
    """What was put back.

    Attributes:
        manifest: what the backup says about itself.
        epoch: what this history is called from now on.
    """

    manifest: Manifest
    epoch: str


@dataclass(frozen=True, slots=True)
class Place:
    """Where a backup is to be put back.

    Attributes:
        data_dir: the data directory, locked.
        url: the database.
        files_dir: where the files of attachments belong.
        secret_key, vault_keys: those that the operator gives, which then count instead of the backup's.
    """

    data_dir: DataDir
    url: str
    files_dir: Path
    secret_key: str | None = None
    vault_keys: dict[int, bytes] | None = None


def restore(stream: IO[bytes], place: Place) -> Restored:
    """Put a backup back.

    Raises:
        NotEmpty: a server has been here.
        BackupDamaged: the backup is not as it was written.
        OtherDatabase: it is of another kind of database.
        NewerDatabaseError: it is of a newer Famichat.
        KeysNotInBackup, WrongKeys: nobody could read what would be put back.
        ProgramMissing, ProgramFailed: `pg_restore` and `psql` are needed.
        OSError: there is no room, or no permission.
    """
    database = Database(place.url)
    try:
        _check_empty(place, database)
        with _staging(place, database) as folder:
            manifest = archive.read(stream, folder)
            _check_fits(manifest, database)
            keys = _keys(manifest, folder, place)
            return Restored(manifest, _put_back(folder, place, database, keys))
    finally:
        database.close()


def _put_back(folder: Path, place: Place, database: Database, keys: Secrets | None) -> str:
    copy = folder / archive.DATABASES[database.dialect]
    postgres = database.dialect == "postgresql"
    epoch = _script(copy) if postgres else _renamed(copy)
    if keys is not None:
        place.data_dir.put_back(keys)  # first: a database without its keys would get new ones
    _put_files(folder / archive.FILES, place.files_dir)
    if postgres:
        script = f"--file={copy.with_suffix('.sql')}"
        options = ("--no-psqlrc", "--quiet", "--single-transaction", "--set=ON_ERROR_STOP=1", script)
        postgres_programs.run("psql", *options, url=database.url)
    else:
        target = Path(str(database.url.database))
        copy.rename(target)
        sync_directory(target.parent)
    return epoch


def _put_files(staged: Path, target: Path) -> None:
    """Move files to their place; the directory may be on another disk."""
    for folder in sorted(staged.glob("*")):
        (target / folder.name).mkdir(mode=_PRIVATE_DIR, parents=True, exist_ok=True)
        for path in folder.iterdir():
            moved = Path(shutil.move(path, target / folder.name / path.name))
            with moved.open("rb") as file:
                os.fsync(file.fileno())
        sync_directory(target / folder.name)


def _script(dump: Path) -> str:
    """Write what `psql` is to run in one transaction: all that was dumped, then the new name; answers that name."""
    script, epoch = dump.with_suffix(".sql"), new_id()
    postgres_programs.run("pg_restore", "--no-owner", "--no-privileges", f"--file={script}", str(dump))
    with script.open("a", encoding="utf-8") as file:
        # pg_dump empties the search path, so that nothing of somebody else's is found by chance.
        file.write(f"\nRESET search_path;\nUPDATE history SET epoch = '{epoch}';\n")  # nosec B608 - an id that we have just made
    return epoch


def _renamed(copy: Path) -> str:
    """Check a copy of an SQLite database, bring it up to date, and give its history a new name."""
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
    """The keys that are to be put back, after a look at whether those that will count are the right ones."""
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
    """The keys that are here, and those of the same server that are in the backup: it may be older than a rotation."""
    if here is None or found is None or here.secret_key != found.secret_key:
        return here or found
    return Secrets(here.secret_key, {**found.vault_keys, **here.vault_keys})


@contextmanager
def _staging(place: Place, database: Database) -> Iterator[Path]:
    """A folder in the same file system as the place of what goes into it; those of earlier attempts are removed."""
    parent = Path(str(database.url.database)).parent if database.dialect == "sqlite" else place.data_dir.path
    for left in parent.glob(f"{_STAGING}*"):
        shutil.rmtree(left)
    with tempfile.TemporaryDirectory(prefix=_STAGING, dir=parent) as name:
        yield Path(name)
