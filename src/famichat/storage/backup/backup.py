"""Takes a backup while the server runs: everything that was committed when it began, and nothing half done.

    manifest = backup(Server(database, kept, files_dir), stream, folder, with_secrets=True)

On SQLite by its backup API, on a read-only connection, in one step: nobody who writes waits for it. On PostgreSQL by
`pg_dump`, on a snapshot that the manifest was read from too. Files of attachments never change once they are whole, so
those that the copied database names are added after it.
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
from famichat.storage.migrate import revision

_PURPOSE = "backup"
_SECRET_KEY = "secret_key"  # noqa: S105 - a name  # nosec B105


class NothingToBackUp(StorageError):
    """The database has no tables yet."""

    def __init__(self) -> None:
        super().__init__("The database is empty")


class WrongKeys(StorageError):
    """These keys are not those of the server that was backed up."""

    def __init__(self) -> None:
        super().__init__("These are not the keys of this backup. Nothing was changed")


@dataclass(frozen=True, slots=True)
class Server:
    """What is backed up.

    Attributes:
        database: whose. It may be in use.
        kept: gives its keys; asked when the copy is made, which may hold something that was sealed with a key of this
            moment. Even if they are left out, the backup can tell whether it meets them again.
        files_dir: where the files of its attachments are.
    """

    database: Database
    kept: Callable[[], Secrets]
    files_dir: Path


@dataclass(frozen=True, slots=True)
class _Copied:
    """What was copied of a database, with the keys of that moment."""

    manifest: Manifest
    attachment_ids: list[str]
    secrets: Secrets


def backup(server: Server, stream: IO[bytes], folder: Path, *, with_secrets: bool) -> Manifest:
    """Write a backup of all that is committed now.

    Args:
        server: whose.
        stream: where the backup goes.
        folder: an empty, private one, where there is room for a copy of the database.
        with_secrets: whether the keys go into the backup too.

    Raises:
        NothingToBackUp: there are no tables.
        WrongVaultKeys: these are not the keys with which it is sealed.
        BackupDamaged: the database itself is damaged; a copy would be as well.
        ProgramMissing, ProgramFailed: `pg_dump` is needed.
        StorageUnavailable: the database does not answer.
    """
    copy = folder / archive.DATABASES[server.database.dialect]
    copied = (_sqlite if server.database.dialect == "sqlite" else _postgres)(server, copy)
    files = {archive.MANIFEST: folder / archive.MANIFEST, copy.name: copy}
    files[archive.MANIFEST].write_text(copied.manifest.to_json(), encoding="utf-8")
    if with_secrets:
        files[archive.SECRETS] = folder / archive.SECRETS
        files[archive.SECRETS].write_text(copied.secrets.to_json(), encoding="utf-8")
    archive.write(stream, files | dict(_files(server.files_dir, copied.attachment_ids)))
    return copied.manifest


def check_keys(manifest: Manifest, secrets: Secrets) -> None:
    """See whether these are the keys of the server that was backed up.

    Raises:
        WrongKeys: they are not, or one is missing.
    """
    for name, proof in manifest.proofs.items():
        if not _is_proven(name, proof, secrets, manifest.epoch):
            raise WrongKeys


def check_file(file: Path) -> None:
    """Read an SQLite database from end to end, without changing anything.

    Raises:
        BackupDamaged: it is not sound.
    """
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro&immutable=1", uri=True)) as connection:
            found = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
    except sqlite3.DatabaseError as error:
        found = str(error)
    if found != "ok":
        raise BackupDamaged(f"the database reports: {' '.join(found.split())}")


def _files(files_dir: Path, attachment_ids: list[str]) -> Iterator[tuple[str, Path]]:
    """The files of these attachments, by their names in the backup."""
    for attachment_id in attachment_ids:
        for path in files_dir.glob(f"{attachment_id[-2:]}/{attachment_id}*"):
            yield f"{archive.FILES}/{attachment_id[-2:]}/{path.name}", path


def _sqlite(server: Server, copy: Path) -> _Copied:
    source = f"{Path(str(server.database.url.database)).absolute().as_uri()}?mode=ro"
    with closing(sqlite3.connect(source, uri=True)) as there, closing(sqlite3.connect(copy)) as here:
        there.backup(here)  # all pages in one step: one snapshot, and never begun again
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
    """What the backup says about itself; and the attachments whose files belong into it."""
    at = revision(session.connection())
    if at is None:
        raise NothingToBackUp
    check_vault_keys(session, secrets.vault_keys)
    epoch = current_epoch(session)
    messages = session.execute(text("SELECT count(*) FROM messages")).scalar_one()
    manifest = Manifest(rfc3339(now()), kind, at, epoch, messages, _proofs(secrets, epoch))
    return _Copied(manifest, _attachments(session), secrets)


def _attachments(session: Session) -> list[str]:
    if not inspect(session.connection()).has_table("attachments"):
        return []  # it is of an older Famichat, which had none
    return [
        str(each)
        for each in session.execute(text("SELECT id FROM attachments WHERE finished_at IS NOT NULL")).scalars()
    ]


def _proofs(secrets: Secrets, epoch: str) -> dict[str, str]:
    """One for each key: none can be read back from it, and nobody without the key can make it."""
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
