"""Takes a consistent backup while the server runs.

    manifest = backup(Server(database, kept, files_dir), stream, folder, with_secrets=True)

On SQLite it uses the backup API on a read-only connection in one step, which does not block writers. On PostgreSQL it
uses `pg_dump` on the same snapshot that the manifest is read from. Completed attachment files never change, so those
that the copied database references are added afterwards.
"""

import base64
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

from sqlalchemy import inspect, text
from sqlalchemy.orm import Session

from famichat.storage.backup import archive, postgres_programs
from famichat.storage.backup.archive import BackupDamaged, Manifest
from famichat.storage.base import now, rfc3339
from famichat.storage.crypto.vault import BlindIndex, Vault
from famichat.storage.crypto.vault_keys import check_keys as check_vault_keys
from famichat.storage.data_dir import Secrets
from famichat.storage.database import Database
from famichat.storage.epoch import current_epoch
from famichat.storage.errors import StorageError, UnsealError
from famichat.storage.revision import revision
from famichat.storage.table_digest import digests_of_all

_PURPOSE = "backup"
_SECRET_KEY = "secret_key"  # noqa: S105 - a name  # nosec B105


class NothingToBackUp(StorageError):
    """The database has no tables yet."""

    def __init__(self) -> None:
        super().__init__("The database is empty")


class WrongKeys(StorageError):
    """The keys do not belong to the server that was backed up."""

    def __init__(self) -> None:
        super().__init__("These are not the keys of this backup. Nothing was changed")


@dataclass(frozen=True, slots=True)
class Server:
    """The server to back up.

    Attributes:
        database: its database, which may be in use.
        kept: returns its keys. Called after the copy is made, so that a key added meanwhile is included. If the keys
            are left out of the backup, it can still verify them at restore time.
        files_dir: the directory of its attachment files.
    """

    database: Database
    kept: Callable[[], Secrets]
    files_dir: Path


@dataclass(frozen=True, slots=True)
class _Copied:
    """A copied database's manifest and attachments, with the keys of that moment."""

    manifest: Manifest
    attachment_ids: list[str]
    secrets: Secrets


def backup(server: Server, stream: IO[bytes], folder: Path, *, with_secrets: bool) -> Manifest:
    """Write a backup of everything committed by now.

    Args:
        server: the server to back up.
        stream: receives the backup.
        folder: an empty, private directory with room for a copy of the database.
        with_secrets: whether to include the keys.

    Raises:
        NothingToBackUp: the database has no tables.
        WrongVaultKeys: the keys do not match the database.
        BackupDamaged: the database itself is damaged.
        ProgramMissing, ProgramFailed: `pg_dump` is missing or failed.
        StorageUnavailable: the database does not respond.
    """
    copy = folder / archive.DATABASES[server.database.dialect]
    copied = (_sqlite if server.database.dialect == "sqlite" else _postgres)(server, copy)
    files = {archive.MANIFEST: folder / archive.MANIFEST, copy.name: copy}
    files[archive.MANIFEST].write_text(copied.manifest.to_json(), encoding="utf-8")
    if with_secrets:
        files[archive.SECRETS] = folder / archive.SECRETS
        files[archive.SECRETS].write_text(copied.secrets.to_json(), encoding="utf-8")
    archive.write(stream, files | dict(_files(server.files_dir, copied.attachment_ids)), copied.secrets.secret_key)
    return copied.manifest


def check_keys(manifest: Manifest, secrets: Secrets) -> None:
    """Verify that keys belong to the server that was backed up.

    Raises:
        WrongKeys: a key is missing or differs.
    """
    for name, proof in manifest.proofs.items():
        if not _is_proven(name, proof, secrets, manifest.epoch):
            raise WrongKeys


def check_file(file: Path) -> None:
    """Run SQLite's integrity check on a database file, read-only.

    Raises:
        BackupDamaged: the check fails.
    """
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro&immutable=1", uri=True)) as connection:
            found = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
    except sqlite3.DatabaseError as error:
        found = str(error)
    if found != "ok":
        raise BackupDamaged(f"the database reports: {' '.join(found.split())}")


def _files(files_dir: Path, attachment_ids: list[str]) -> Iterator[tuple[str, Path]]:
    """Yield the files of these attachments with their names in the backup."""
    for attachment_id in attachment_ids:
        for path in files_dir.glob(f"{attachment_id[-2:]}/{attachment_id}*"):
            yield f"{archive.FILES}/{attachment_id[-2:]}/{path.name}", path


def _sqlite(server: Server, copy: Path) -> _Copied:
    source = f"{Path(str(server.database.url.database)).absolute().as_uri()}?mode=ro"
    with closing(sqlite3.connect(source, uri=True)) as there, closing(sqlite3.connect(copy)) as here:
        there.backup(here)  # all pages in one step: one snapshot, no restarts
    check_file(copy)
    secrets, copied = server.kept(), Database(f"sqlite:///{copy}")
    try:
        return copied.run_read(lambda session: _copied(session, "sqlite", secrets))
    finally:
        copied.close()


def _postgres(server: Server, copy: Path) -> _Copied:
    def dump(session: Session) -> _Copied:
        snapshot = session.execute(text("SELECT pg_export_snapshot()")).scalar_one()
        found = _copied(session, "postgresql", server.kept())
        options = ("--format=custom", "--no-owner", "--no-privileges", f"--snapshot={snapshot}", f"--file={copy}")
        postgres_programs.run("pg_dump", *options, url=server.database.url)
        return found

    return server.database.run_read(dump)


def _copied(session: Session, kind: Literal["sqlite", "postgresql"], secrets: Secrets) -> _Copied:
    """Return the manifest, and the attachments whose files belong in the backup."""
    at = revision(session.connection())
    if at is None:
        raise NothingToBackUp
    check_vault_keys(session, secrets.vault_keys)
    epoch = current_epoch(session)
    messages = session.execute(text("SELECT count(*) FROM messages")).scalar_one()
    tables = digests_of_all(session.connection())
    manifest = Manifest(rfc3339(now()), kind, at, epoch, messages, _proofs(secrets, epoch), tables)
    return _Copied(manifest, _attachments(session), secrets)


def _attachments(session: Session) -> list[str]:
    if not inspect(session.connection()).has_table("attachments"):
        return []  # an older schema without attachments
    return [
        str(each)
        for each in session.execute(text("SELECT id FROM attachments WHERE finished_at IS NOT NULL")).scalars()
    ]


def _proofs(secrets: Secrets, epoch: str) -> dict[str, str]:
    """Return one proof per key. It does not reveal the key and cannot be forged without it."""
    proofs = {_SECRET_KEY: BlindIndex(secrets.secret_key).digest(_PURPOSE, epoch).hex()}
    for version, key in secrets.vault_keys.items():
        sealed = Vault({version: key}).seal(_PURPOSE, epoch.encode(), bound_to=epoch)
        proofs[str(version)] = base64.b64encode(sealed).decode()
    return proofs


def _is_proven(name: str, proof: str, secrets: Secrets, epoch: str) -> bool:
    if name == _SECRET_KEY:
        return BlindIndex(secrets.secret_key).digest(_PURPOSE, epoch).hex() == proof
    try:
        return Vault(secrets.vault_keys).open(_PURPOSE, base64.b64decode(proof), bound_to=epoch) == epoch.encode()
    except UnsealError:
        return False
