"""The data directory: holds the database and the secrets, locked by one process at a time.

    data_dir = DataDir(Path("data"))
    with data_dir.lock():
        keys = data_dir.secrets()

`secrets.json` is created at the first start. Without it, everything encrypted at rest is unreadable, so it belongs in
the backup; anyone who can read it can read the database.
"""

import base64
import binascii
import fcntl
import json
import os
import secrets
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Self

from famichat.storage.base import rfc3339
from famichat.storage.crypto.vault import KEY_BYTES
from famichat.storage.errors import StorageError

LAST_BACKUP, LAST_VERIFIED, DATABASE_ID = "last-backup", "last-verified-backup", "database-id"
LOST_ACCESS = "lost-access"
_SECRET_BYTES = 48
_PRIVATE_DIR, _PRIVATE_FILE = 0o700, 0o600


class DirectoryInUse(StorageError):
    """Another Famichat process uses this data directory; `process` is its id, or empty if unknown."""

    def __init__(self, path: Path, process: str) -> None:
        super().__init__(
            f"Famichat is already running in {path}{f' (process {process})' if process else ''}. Stop it first"
        )
        self.process = process


class SecretsDamaged(StorageError):
    """`secrets.json` exists but is unusable. It is never replaced, because that would lose all encrypted data."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path} is damaged. Restore it from your backup")


class SecretsMissing(StorageError):
    """A database exists, but its secrets do not. New secrets would make its contents unreadable."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{path} is missing, but there is a database. Restore the file from your backup, "
            "or set FAMICHAT_SECRET_KEY and FAMICHAT_VAULT_KEYS"
        )


@dataclass(frozen=True, slots=True)
class Secrets:
    """The keys of one server.

    Attributes:
        secret_key: signs tokens and derives blind indexes.
        vault_keys: encryption keys by version; the newest encrypts, the others still decrypt.
    """

    secret_key: str
    vault_keys: dict[int, bytes]

    @classmethod
    def fresh(cls) -> Self:
        """Generate keys for a new server."""
        return cls(secrets.token_urlsafe(_SECRET_BYTES), {1: secrets.token_bytes(KEY_BYTES)})

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Parse the output of `to_json`.

        Raises:
            ValueError: the text is anything else.
        """
        try:
            stored = json.loads(text)
            keys = {int(version): base64.b64decode(key, validate=True) for version, key in stored["vault_keys"].items()}
            secret_key = stored["secret_key"]
        except (KeyError, TypeError, AttributeError, binascii.Error) as error:
            raise ValueError("these are no secrets of Famichat") from error
        if not isinstance(secret_key, str) or not secret_key or not keys or {KEY_BYTES} != {*map(len, keys.values())}:
            raise ValueError("these are no secrets of Famichat")
        return cls(secret_key, keys)

    def to_json(self) -> str:
        """Serialise to JSON."""
        keys = {str(version): base64.b64encode(key).decode() for version, key in self.vault_keys.items()}
        return json.dumps({"secret_key": self.secret_key, "vault_keys": keys}, indent=2) + "\n"


class DataDir:
    """The directory that holds one server's lock, secrets and backup timestamp.

    Args:
        path: the directory. It is created on first use, accessible to its owner only.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def secrets_file(self) -> Path:
        """Path of the secrets, used unless the operator configures them."""
        return self.path / "secrets.json"

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold an exclusive lock on the directory until the block or the process ends, however it ends.

        Raises:
            DirectoryInUse: another process holds the lock.
            OSError: the directory cannot be created or written to.
        """
        self._make()
        descriptor = os.open(self.path / "famichat.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _PRIVATE_FILE)
        try:
            self._take(descriptor)
            yield
        finally:
            os.close(descriptor)

    def secrets(self, secret_key: str | None = None, vault_keys: Mapping[int, bytes] | None = None) -> Secrets:
        """Return the server's keys: the given ones, completed from `secrets.json`, which is created if missing.

        Call this before creating the database: a database without secrets is reported as SecretsMissing.

        Args:
            secret_key: configured by the operator, or None to use the stored one.
            vault_keys: likewise, by version.

        Raises:
            SecretsDamaged: the file exists but is unusable.
            SecretsMissing: a database exists, but the file does not.
            OSError: the file cannot be read or written.
        """
        if secret_key is not None and vault_keys is not None:
            return Secrets(secret_key, dict(vault_keys))
        stored = self._stored() or self._created()
        return Secrets(secret_key or stored.secret_key, dict(vault_keys or stored.vault_keys))

    def kept_vault_keys(self) -> dict[int, bytes]:
        """Return the stored vault keys by version. Safe while a server runs.

        Raises:
            SecretsDamaged: the file is unusable.
            SecretsMissing: the file does not exist.
            OSError: the file cannot be read.
        """
        stored = self._stored()
        if stored is None:
            raise SecretsMissing(self.secrets_file)
        return stored.vault_keys

    def add_vault_key(self, version: int) -> None:
        """Generate and store a vault key, unless this version exists. A running server picks it up.

        Raises:
            SecretsDamaged, SecretsMissing, OSError: see `kept_vault_keys`.
        """
        with self._alone_with_secrets() as stored:
            if version not in stored.vault_keys:
                self._replace(
                    replace(stored, vault_keys={**stored.vault_keys, version: secrets.token_bytes(KEY_BYTES)})
                )

    def drop_vault_key(self, version: int) -> None:
        """Delete a stored vault key. Anything still encrypted with it is lost, so check that nothing is.

        Raises:
            SecretsDamaged, SecretsMissing, OSError: see `kept_vault_keys`.
        """
        with self._alone_with_secrets() as stored:
            left = {each: key for each, key in stored.vault_keys.items() if each != version}
            if left != stored.vault_keys:
                self._replace(replace(stored, vault_keys=left))

    def restore_secrets(self, backed_up: Secrets) -> None:
        """Store secrets from a backup. Vault keys that exist already are kept.

        Raises:
            OSError: the file cannot be written.
        """
        if self._keep(backed_up) == backed_up:
            return
        with self._alone_with_secrets() as here:
            self._replace(replace(here, vault_keys={**backed_up.vault_keys, **here.vault_keys}))

    def note_backup(self, taken_at: datetime) -> None:
        """Record when the last backup was taken.

        Raises:
            OSError: the file cannot be written.
        """
        self._note(self.path / LAST_BACKUP, rfc3339(taken_at))

    def last_backup(self) -> datetime | None:
        """Return when the last backup was taken, or None if none was recorded.

        Raises:
            OSError: the record exists but cannot be read.
            ValueError: the record is not a timestamp.
        """
        return _timestamp(self.path / LAST_BACKUP)

    def note_verified(self, verified_at: datetime) -> None:
        """Record when a backup was last verified.

        Raises:
            OSError: the file cannot be written.
        """
        self._note(self.path / LAST_VERIFIED, rfc3339(verified_at))

    def last_verified(self) -> datetime | None:
        """Return when a backup was last verified, or None if none was recorded.

        Raises:
            OSError, ValueError: see `last_backup`.
        """
        return _timestamp(self.path / LAST_VERIFIED)

    def note_database(self, database_id: str) -> None:
        """Record the id of the database that this directory belongs to.

        Raises:
            OSError: the file cannot be written.
        """
        if self.database_id() != database_id:
            self._note(self._database_note, database_id)

    def database_id(self) -> str | None:
        """Return the recorded id of the database, or None if this directory has not been used with one.

        Raises:
            OSError: the record exists but cannot be read.
        """
        try:
            return self._database_note.read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            return None

    def forget_database(self) -> None:
        """Delete the recorded id, because another database has been restored."""
        self._database_note.unlink(missing_ok=True)

    def note_lost_access(self, line: str) -> None:
        """Store which access is to be removed again from a restored database; see `app.lost_access`.

        Raises:
            OSError: the file cannot be written.
        """
        self._note(self.path / LOST_ACCESS, line)

    def lost_access(self) -> str | None:
        """Return what `note_lost_access` stored, or None.

        Raises:
            OSError: the file exists but cannot be read.
        """
        try:
            return (self.path / LOST_ACCESS).read_text(encoding="utf-8")
        except FileNotFoundError:
            return None

    def forget_lost_access(self) -> None:
        """Delete it, because it is removed."""
        (self.path / LOST_ACCESS).unlink(missing_ok=True)

    @property
    def _database_note(self) -> Path:
        return self.path / DATABASE_ID

    def _note(self, file: Path, line: str) -> None:
        """Write one line to a file, atomically."""
        self._make()
        with tempfile.NamedTemporaryFile(
            "w", dir=self.path, prefix=f"{file.name}.", encoding="utf-8", delete=False
        ) as draft:
            draft.write(f"{line}\n")
            draft.flush()
            os.fsync(draft.fileno())
        Path(draft.name).replace(file)
        sync_directory(self.path)

    def _make(self) -> None:
        self.path.mkdir(mode=_PRIVATE_DIR, parents=True, exist_ok=True)

    def _take(self, descriptor: int) -> None:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DirectoryInUse(self.path, os.pread(descriptor, 20, 0).decode(errors="replace").strip()) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)

    def _stored(self) -> Secrets | None:
        try:
            return Secrets.from_json(self.secrets_file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except ValueError as error:
            raise SecretsDamaged(self.secrets_file) from error

    def _created(self) -> Secrets:
        if (self.path / "famichat.db").exists():
            raise SecretsMissing(self.secrets_file)
        return self._keep(Secrets.fresh())

    def _keep(self, made: Secrets) -> Secrets:
        """Create `secrets.json` atomically, even across a power cut. An existing file wins."""
        self._make()
        with tempfile.NamedTemporaryFile("w", dir=self.path, prefix="secrets.", encoding="utf-8") as draft:
            draft.write(made.to_json())
            draft.flush()
            os.fsync(draft.fileno())
            try:
                self.secrets_file.hardlink_to(draft.name)
            except FileExistsError:
                return self.secrets()  # on PostgreSQL two processes may start together and must share the keys
        sync_directory(self.path)
        return made

    @contextmanager
    def _alone_with_secrets(self) -> Iterator[Secrets]:
        """Yield the secrets under an exclusive lock, so that concurrent commands cannot overwrite each other."""
        descriptor = os.open(self.path / "secrets.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _PRIVATE_FILE)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            stored = self._stored()
            if stored is None:
                raise SecretsMissing(self.secrets_file)
            yield stored
        finally:
            os.close(descriptor)

    def _replace(self, changed: Secrets) -> None:
        """Replace `secrets.json` atomically, even across a power cut."""
        draft = self.path / "secrets.new"
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, _PRIVATE_FILE)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(changed.to_json())
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self.secrets_file)
        sync_directory(self.path)


def _timestamp(file: Path) -> datetime | None:
    try:
        return datetime.fromisoformat(file.read_text(encoding="utf-8").strip())
    except FileNotFoundError:
        return None


def sync_directory(path: Path) -> None:
    """Sync a directory's entries to disk; without this a power cut may undo a rename."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
