"""The checks of `famichat doctor`, which change nothing: of the data first, then of what surrounds the server."""

import os
import stat
from collections.abc import Iterator
from datetime import timedelta
from importlib.resources import files
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from famichat.app.environment.check import Check
from famichat.attachments.sample import open_newest_files
from famichat.chat.mls.progress import devices_without_keys, encrypted_conversations
from famichat.cli.expected import to_message
from famichat.cli.operator.doctor.nodes import check_nodes
from famichat.cli.operator.doctor.surroundings import surroundings
from famichat.cli.operator.opened_data import sqlite_file
from famichat.cli.refusal import Refused
from famichat.settings import Settings, unknown_variables
from famichat.storage.base import now, rfc3339
from famichat.storage.crypto.vault import Vault
from famichat.storage.crypto.vault_keys import WrongVaultKeys, check_keys, opened_of_sample
from famichat.storage.data_dir import DataDir, DirectoryInUse, Secrets
from famichat.storage.database import Database
from famichat.storage.errors import StorageError, UnsealError
from famichat.storage.integrity import damaged_rows, find_damage
from famichat.storage.node import running_nodes
from famichat.storage.opening import check_connection, check_file
from famichat.storage.revision import newest, revision

_PRIVATE = 0o077
_BACKUP_IS_OLD = timedelta(days=3)


def checks(settings: Settings) -> Iterator[Check]:
    """Yield the result of each check, in the order in which they run."""
    data_dir = DataDir(settings.data_dir)
    found: list[Check] = []
    yield _variables()
    yield _directory(data_dir)
    yield _secrets_file(data_dir, settings)
    file = sqlite_file(settings)
    if file is not None and not file.is_file() and data_dir.database_id() is None:
        yield Check("database", Check.NOTE, f"no database at {file} yet; the first start creates it")
    else:
        found = list(_database(settings, data_dir))
        yield from found
    yield _backup(data_dir)
    yield _pages()
    if settings.effective_pubsub_url is not None:
        yield _broker(settings.effective_pubsub_url, data_dir)
    is_readable = bool(found) and _has_secrets(data_dir, settings) and found[0].status == Check.OK
    yield from surroundings(settings, is_running=_is_running(data_dir), has_data=is_readable)


def _variables() -> Check:
    unknown = unknown_variables(os.environ)
    if unknown:
        return Check("settings", Check.NOTE, f"{', '.join(unknown)}: no such settings; correct or remove them")
    return Check("settings", Check.OK, "valid")


def _directory(data_dir: DataDir) -> Check:
    if not data_dir.path.is_dir():
        return Check("data directory", Check.NOTE, f"{data_dir.path} does not exist yet; the first start creates it")
    if _mode(data_dir.path) & _PRIVATE:
        return Check("data directory", Check.NOTE, f"other users can read {data_dir.path}; run chmod 700")
    try:
        with data_dir.lock():
            return Check("data directory", Check.OK, f"{data_dir.path.absolute()}; no server is running")
    except DirectoryInUse as running:
        return Check("data directory", Check.OK, f"{data_dir.path.absolute()}; a server is running ({running.process})")


def _secrets_file(data_dir: DataDir, settings: Settings) -> Check:
    if not _has_secrets(data_dir, settings):
        lost = (data_dir.path / "famichat.db").exists()
        state = "missing; restore it from your backup" if lost else "not created yet; the first start creates it"
        return Check("secrets", Check.BAD if lost else Check.NOTE, f"{data_dir.secrets_file} is {state}")
    if not data_dir.secrets_file.is_file():
        return Check("secrets", Check.OK, "set by the settings")
    if _mode(data_dir.secrets_file) & _PRIVATE:
        return Check(
            "secrets", Check.BAD, f"other users can read {data_dir.secrets_file}; run chmod 600 and consider new keys"
        )
    return Check("secrets", Check.OK, f"{data_dir.secrets_file}; make sure it is in your backup")


def _has_secrets(data_dir: DataDir, settings: Settings) -> bool:
    given = settings.secret_key is not None and settings.vault_keys is not None
    return given or data_dir.secrets_file.is_file()


def _database(settings: Settings, data_dir: DataDir) -> Iterator[Check]:
    database = Database(settings.effective_database_url)
    try:
        check_file(database, data_dir)
        database.run_read(lambda session: check_connection(session.connection(), data_dir))
        at = database.run_read(lambda session: revision(session.connection()))
        yield _revision(at)
        if at == newest() and _has_secrets(data_dir, settings):
            keys = data_dir.secrets(settings.secret_key, settings.vault_keys)
            yield database.run_read(lambda session: _sealed(session, keys))
            yield database.run_read(_rows)
            if "required" in settings.encryption_policies.values():
                yield database.run_read(_device_keys)
            yield database.run_read(lambda session: _files(session, keys, settings.effective_files_dir))
            if database.dialect == "postgresql":
                yield database.run_read(lambda session: check_nodes(running_nodes(session)))
    except (StorageError, DBAPIError) as error:
        yield Check("database", Check.BAD, _explained(error))
    finally:
        database.close()
    file = sqlite_file(settings)
    if file is not None and file.is_file():
        yield _integrity(file)


def _explained(error: StorageError | DBAPIError) -> str:
    """Return the sentence and the code with which the server would refuse to start."""
    message = to_message(error)
    return f"{message.message} ({message.code})" if isinstance(message, Refused) else str(error)


def _revision(at: str | None) -> Check:
    if at == newest():
        return Check("database", Check.OK, f"at revision {at}")
    return Check("database", Check.NOTE, f"at revision {at}, not {newest()}; the next start upgrades it")


def _sealed(session: Session, keys: Secrets) -> Check:
    try:
        check_keys(session, keys.vault_keys)
    except WrongVaultKeys as error:
        return Check("sealed data", Check.BAD, str(error))
    opened, tried = opened_of_sample(session, Vault(keys.vault_keys))
    if opened < tried:
        return Check("sealed data", Check.BAD, f"{tried - opened} of {tried} sampled values cannot be decrypted")
    return Check("sealed data", Check.OK, f"decrypts ({tried} sampled)")


def _rows(session: Session) -> Check:
    """Compare every row with its checksum."""
    damaged = list(damaged_rows(session))
    if damaged:
        return Check(
            "rows", Check.BAD, f"{len(damaged)} damaged, first {damaged[0]}; restore a backup (message_damaged)"
        )
    dialect = session.get_bind().dialect.name
    if dialect == "postgresql" and session.execute(text("SHOW data_checksums")).scalar_one() != "on":
        return Check("rows", Check.NOTE, "intact; PostgreSQL checks no pages, turn on its data checksums")
    return Check("rows", Check.OK, "intact")


def _device_keys(session: Session) -> Check:
    """List the devices that keep conversations from being encrypted."""
    missing = devices_without_keys(session)
    if missing:
        names = ", ".join(f"{device.shown_name} of {username}" for username, device in missing)
        return Check("device keys", Check.NOTE, f"these devices do not support encryption yet: {names}")
    return Check("device keys", Check.OK, f"all devices; {encrypted_conversations(session)} encrypted conversations")


def _files(session: Session, keys: Secrets, files_dir: Path) -> Check:
    try:
        opened = open_newest_files(session, Vault(keys.vault_keys), files_dir)
    except (OSError, UnsealError) as error:
        return Check(
            "files",
            Check.BAD,
            f"a file is missing or damaged: {type(error).__name__}; restore the files that belong to this database",
        )
    return Check("files", Check.OK, f"decrypt ({opened} sampled)")


def _integrity(file: Path) -> Check:
    damage = find_damage(file)
    return Check("database file", Check.OK if damage is None else Check.BAD, damage or "ok")


def _backup(data_dir: DataDir) -> Check:
    try:
        taken_at, verified_at = data_dir.last_backup(), data_dir.last_verified()
    except (OSError, ValueError) as error:
        return Check("backup", Check.NOTE, f"the record of the last backup cannot be read: {type(error).__name__}")
    if taken_at is None:
        return Check("backup", Check.NOTE, "none was taken from this data directory; run famichat backup")
    verified = (
        f"verified at {rfc3339(verified_at)}" if verified_at else "never verified; run famichat backup verify FILE"
    )
    is_recent = taken_at > now() - _BACKUP_IS_OLD
    return Check("backup", Check.OK if is_recent else Check.NOTE, f"the last is of {rfc3339(taken_at)}; {verified}")


def _pages() -> Check:
    if (files("famichat") / "static" / "index.html").is_file():
        return Check("web pages", Check.OK, "built")
    return Check("web pages", Check.NOTE, "not built; ./run serve builds them")


def _broker(url: str, data_dir: DataDir) -> Check:
    try:
        nodes = _listening_nodes(url)
    except ConnectionError as failure:
        return Check("broker", Check.BAD, f"not reachable: {failure}")
    if nodes == 0 and _is_running(data_dir):
        return Check("broker", Check.BAD, "reachable, but the running server does not listen to it; restart the server")
    return Check("broker", Check.OK, f"reachable; {nodes} {'server listens' if nodes == 1 else 'servers listen'}")


def _listening_nodes(url: str) -> int:
    if url.startswith("postgresql:"):
        from famichat.realtime import postgres_broker  # noqa: PLC0415 - psycopg is an extra

        return postgres_broker.listening_nodes(url)
    if url.startswith("nats:"):
        from famichat.realtime import nats_broker  # noqa: PLC0415 - nats-py is an extra

        return nats_broker.listening_nodes(url)
    from famichat.realtime import redis_broker  # noqa: PLC0415 - a large library of an extra

    return redis_broker.listening_nodes(url)


def _is_running(data_dir: DataDir) -> bool:
    try:
        if data_dir.path.is_dir():
            with data_dir.lock():
                pass
    except DirectoryInUse:
        return True
    return False


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)
