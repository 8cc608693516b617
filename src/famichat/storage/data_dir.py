"""The data directory: one process at a time keeps its database and its secrets there.

    data_dir = DataDir(Path("data"))
    with data_dir.lock():
        keys = data_dir.secrets()

`secrets.json` is made at the first start. Whoever loses it loses every message that is sealed at rest, so it belongs
into the backup, and never anywhere that the backup's readers are not trusted.
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

_SECRET_BYTES = 48
_PRIVATE_DIR, _PRIVATE_FILE = 0o700, 0o600


class DirectoryInUse(StorageError):
    """Another process of Famichat works in this data directory; `process` is its id, where that is known."""

    def __init__(self, path: Path, process: str) -> None:
        super().__init__(
            f"Famichat is already running in {path}{f' (process {process})' if process else ''}. Stop it first"
        )
        self.process = process


class SecretsDamaged(StorageError):
    """The file of secrets is there and cannot be used. It is never replaced: what it sealed would be lost."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path} is damaged. Restore it from your backup")


class SecretsMissing(StorageError):
    """There is a database, and no secrets to open it with. New ones would make what it holds unreadable."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{path} is missing, but there is a database. Restore the file from your backup, "
            "or set FAMICHAT_SECRET_KEY and FAMICHAT_VAULT_KEYS"
        )


@dataclass(frozen=True, slots=True)
class Secrets:
    """The keys of one server.

    Attributes:
        secret_key: signs tokens and makes blind indexes.
        vault_keys: seal what is stored, by version; the newest seals, the others still open.
    """

    secret_key: str
    vault_keys: dict[int, bytes]

    @classmethod
    def fresh(cls) -> Self:
        """New keys, for a new server."""
        return cls(secrets.token_urlsafe(_SECRET_BYTES), {1: secrets.token_bytes(KEY_BYTES)})

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read back what `to_json` wrote.

        Raises:
            ValueError: it is something else.
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
        """The same, to be kept in a file."""
        keys = {str(version): base64.b64encode(key).decode() for version, key in self.vault_keys.items()}
        return json.dumps({"secret_key": self.secret_key, "vault_keys": keys}, indent=2) + "\n"


class DataDir:
    """Where one server keeps what is its own.

    Args:
        path: the directory. It is made when it is first needed, for its owner only.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def secrets_file(self) -> Path:
        """Where the secrets are kept, unless the operator gives them."""
        return self.path / "secrets.json"

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Work here alone until the block ends, or the process does, however it ends.

        Raises:
            DirectoryInUse: another process works here.
            OSError: the directory cannot be made or written to.
        """
        self._make()
        descriptor = os.open(self.path / "famichat.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _PRIVATE_FILE)
        try:
            self._take(descriptor)
            yield
        finally:
            os.close(descriptor)

    def secrets(self, secret_key: str | None = None, vault_keys: Mapping[int, bytes] | None = None) -> Secrets:
        """The keys of this server: the given ones, and for those not given the ones kept here, made if there are none.

        Ask before the database is made: one that is older than the secrets has lost its own.

        Raises:
            SecretsDamaged: the file is there, and cannot be used.
            SecretsMissing: the file is not there, and a database is.
            OSError: the file cannot be read or written.
        """
        if secret_key is not None and vault_keys is not None:
            return Secrets(secret_key, dict(vault_keys))
        kept = self._kept() or self._made()
        return Secrets(secret_key or kept.secret_key, dict(vault_keys or kept.vault_keys))

    def kept_vault_keys(self) -> dict[int, bytes]:
        """The vault keys that are kept here, also while a server runs.

        Raises:
            SecretsDamaged: the file cannot be used.
            SecretsMissing: it is not there.
            OSError: it cannot be read.
        """
        kept = self._kept()
        if kept is None:
            raise SecretsMissing(self.secrets_file)
        return kept.vault_keys

    def add_vault_key(self, version: int) -> None:
        """Keep another vault key, which a running server will find here; the one that is here already stays.

        Raises:
            SecretsDamaged, SecretsMissing, OSError: as `kept_vault_keys` does.
        """
        with self._alone_with_secrets() as kept:
            if version not in kept.vault_keys:
                self._replace(replace(kept, vault_keys={**kept.vault_keys, version: secrets.token_bytes(KEY_BYTES)}))

    def drop_vault_key(self, version: int) -> None:
        """Keep a vault key no more. What it has sealed is lost, so there must be nothing.

        Raises:
            SecretsDamaged, SecretsMissing, OSError: as `kept_vault_keys` does.
        """
        with self._alone_with_secrets() as kept:
            left = {each: key for each, key in kept.vault_keys.items() if each != version}
            if left != kept.vault_keys:
                self._replace(replace(kept, vault_keys=left))

    def put_back(self, kept: Secrets) -> None:
        """Keep these secrets, which a backup held; those that are here already stay.

        Raises:
            OSError: the file cannot be written.
        """
        if self._keep(kept) == kept:
            return
        with self._alone_with_secrets() as here:
            self._replace(replace(here, vault_keys={**kept.vault_keys, **here.vault_keys}))

    def note_backup(self, moment: datetime) -> None:
        """Remember when the last backup was taken.

        Raises:
            OSError: the file cannot be written.
        """
        self._make()
        with tempfile.NamedTemporaryFile(
            "w", dir=self.path, prefix="last-backup.", encoding="utf-8", delete=False
        ) as draft:
            draft.write(f"{rfc3339(moment)}\n")
        Path(draft.name).replace(self._backup_note)

    def last_backup(self) -> datetime | None:
        """When the last backup was taken that was noted here; None if none was.

        Raises:
            OSError: the file is there, and cannot be read.
            ValueError: it holds something else.
        """
        try:
            return datetime.fromisoformat(self._backup_note.read_text(encoding="utf-8").strip())
        except FileNotFoundError:
            return None

    @property
    def _backup_note(self) -> Path:
        return self.path / "last-backup"

    def _make(self) -> None:
        self.path.mkdir(mode=_PRIVATE_DIR, parents=True, exist_ok=True)

    def _take(self, descriptor: int) -> None:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DirectoryInUse(self.path, os.pread(descriptor, 20, 0).decode(errors="replace").strip()) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)

    def _kept(self) -> Secrets | None:
        try:
            return Secrets.from_json(self.secrets_file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except ValueError as error:
            raise SecretsDamaged(self.secrets_file) from error

    def _made(self) -> Secrets:
        if (self.path / "famichat.db").exists():
            raise SecretsMissing(self.secrets_file)
        return self._keep(Secrets.fresh())

    def _keep(self, made: Secrets) -> Secrets:
        """Write a file that is there whole or not at all, also after a power cut in between; the first one stays."""
        self._make()
        with tempfile.NamedTemporaryFile("w", dir=self.path, prefix="secrets.", encoding="utf-8") as draft:
            draft.write(made.to_json())
            draft.flush()
            os.fsync(draft.fileno())
            try:
                self.secrets_file.hardlink_to(draft.name)
            except FileExistsError:
                return self.secrets()  # on PostgreSQL two processes may start at once: both must use the same
        sync_directory(self.path)
        return made

    @contextmanager
    def _alone_with_secrets(self) -> Iterator[Secrets]:
        """The secrets, to be changed by nobody else meanwhile: two commands may be given at once."""
        descriptor = os.open(self.path / "secrets.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _PRIVATE_FILE)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            kept = self._kept()
            if kept is None:
                raise SecretsMissing(self.secrets_file)
            yield kept
        finally:
            os.close(descriptor)

    def _replace(self, changed: Secrets) -> None:
        """Write the file anew: the old one is there, or the new one, also after a power cut in between."""
        draft = self.path / "secrets.new"
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, _PRIVATE_FILE)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(changed.to_json())
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self.secrets_file)
        sync_directory(self.path)


def sync_directory(path: Path) -> None:
    """Have a directory's names on disk: without this a power cut may undo a rename."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
