"""Verifies a backup by restoring it into a scratch place and comparing it with its manifest.

It finds what checksums cannot: a dump that does not load, tables that differ after the restore, and values and files
that the keys do not open.
"""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from famichat.storage.backup import archive, postgres_programs
from famichat.storage.backup.archive import BackupDamaged, Manifest
from famichat.storage.backup.backup import check_file
from famichat.storage.backup.restore import Place, check_fits, keys_of
from famichat.storage.crypto.vault import Vault
from famichat.storage.crypto.vault_keys import opened_of_sample
from famichat.storage.database import Database
from famichat.storage.errors import StorageError, StorageUnavailable
from famichat.storage.table_digest import digests_of_all

_NOT_PERMITTED = "42501"  # insufficient_privilege
OpenFiles = Callable[[Session, Vault, Path], int]
"""Opens a sample of the attachment files in a directory, and returns how many. Raises UnsealError or OSError."""


class NoScratchDatabase(StorageError):
    """The PostgreSQL user may not create the scratch database that a verification needs."""

    def __init__(self) -> None:
        super().__init__(
            "To verify a backup of PostgreSQL, Famichat restores it into a scratch database. Allow it to create one: "
            "ALTER ROLE (the user in FAMICHAT_DATABASE_URL) CREATEDB"
        )


@dataclass(frozen=True, slots=True)
class Verified:
    """A verified backup.

    Attributes:
        manifest: its metadata.
        by_own_keys: whether keys that were known here authenticated it; see `BackupKeys`.
        values: how many sealed values were opened.
        files: how many attachment files were opened.
    """

    manifest: Manifest
    by_own_keys: bool
    values: int
    files: int


def verify(stream: IO[bytes], place: Place, folder: Path, open_files: OpenFiles) -> Verified:
    """Restore a backup into a scratch place, compare it with its manifest, and open a sample. Changes nothing else.

    Args:
        stream: the backup.
        place: the server that the backup is of, for its keys and, on PostgreSQL, for its database server.
        folder: an empty, private directory with room for the unpacked backup.
        open_files: opens attachment files.

    Raises:
        BackupDamaged: the backup is damaged or cannot be restored.
        BackupNotAuthentic: it was changed, or an older Famichat made it.
        OtherDatabase, NewerDatabaseError, KeysNotInBackup, WrongKeys, ProgramMissing, ProgramFailed: see `restore`.
        NoScratchDatabase: the PostgreSQL user may not create one.
        StorageUnavailable: the database does not answer.
    """
    from famichat.storage.migrate import upgrade  # noqa: PLC0415 - loads a large library

    manifest = archive.read(stream, folder)
    check_fits(manifest, place.url)
    keys = keys_of(manifest, folder, place)
    archive.check_authentic(folder, keys.effective.secret_key)
    vault, files_dir = Vault(keys.effective.vault_keys), folder / archive.FILES

    def open_sample(session: Session) -> tuple[int, int]:
        opened, tried = opened_of_sample(session, vault)
        if opened < tried:
            raise BackupDamaged(f"{tried - opened} of {tried} values cannot be decrypted")
        return opened, open_files(session, vault, files_dir)

    with _restored(folder / archive.DATABASES[manifest.database], place) as database:
        database.run_read(lambda session: _compare(session, manifest))
        upgrade(database)
        values, files = database.run_read(open_sample)
    return Verified(manifest, keys.are_own, values, files)


def _compare(session: Session, manifest: Manifest) -> None:
    found = digests_of_all(session.connection())
    differing = sorted(name for name, digest in manifest.tables.items() if found.get(name) != digest)
    if differing:
        raise BackupDamaged(f"after the restore, the table {differing[0]} is not as it was")


@contextmanager
def _restored(copy: Path, place: Place) -> Iterator[Database]:
    if place.url.startswith("sqlite"):
        check_file(copy)
        database = Database(f"sqlite:///{copy}")
        try:
            yield database
        finally:
            database.close()
    else:
        with _scratch_database(place) as database:
            options = ("--no-owner", "--no-privileges", "--exit-on-error", str(copy))
            postgres_programs.run("pg_restore", *options, url=database.url)
            yield database


@contextmanager
def _scratch_database(place: Place) -> Iterator[Database]:
    server = Database(place.url)
    # The same name each time, so that a verification removes what a killed one left behind.
    name = f"famichat_verify_{hashlib.sha256(str(server.url.database).encode()).hexdigest()[:16]}"
    drop = f'DROP DATABASE IF EXISTS "{name}"'
    try:
        _administer(server, drop, f'CREATE DATABASE "{name}" TEMPLATE template0 ENCODING UTF8')
        scratch = Database(server.url.set(database=name).render_as_string(hide_password=False))
        try:
            yield scratch
        finally:
            scratch.close()
            _administer(server, drop)
    finally:
        server.close()


def _administer(server: Database, *statements: str) -> None:
    """Run statements outside a transaction, as CREATE DATABASE requires."""
    try:
        with server.autocommit() as connection:
            for statement in statements:
                connection.execute(text(statement))
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) == _NOT_PERMITTED:
            raise NoScratchDatabase from error
        raise StorageUnavailable("verify") from error
