"""The backup format: one tar file with checksums, on disk or through a pipe.

    manifest.json    format, server, time and message count
    famichat.db      the SQLite database; or famichat.dump, written by pg_dump
    secrets.json     the keys, unless left out
    files/           attachment files, encrypted as on disk
    SHA256SUMS       of all other files, readable by `sha256sum --check`
    SHA256SUMS.hmac  HMAC-SHA-256 of SHA256SUMS under a key of the server, in hexadecimal

It is a plain tar file, so it can be inspected and restored by hand without Famichat. The checksums find damage. The
HMAC finds manipulation by anyone who does not have the server's keys: it covers every file through its checksum.
"""

import hashlib
import hmac
import io
import json
import os
import re
import tarfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any, Literal, Self, cast

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from famichat.storage.errors import StorageError
from famichat.storage.table_digest import TableDigest

MANIFEST, SUMS, TAG, SECRETS, FILES = "manifest.json", "SHA256SUMS", "SHA256SUMS.hmac", "secrets.json", "files"
DATABASES = {"sqlite": "famichat.db", "postgresql": "famichat.dump"}
_FORMAT = 2
_KNOWN_FORMATS = {1, 2}  # 1 has no HMAC and no digests of tables
_CHUNK = 1024 * 1024
_PRIVATE_DIR, _PRIVATE_FILE = 0o700, 0o600
_FILE = re.compile(r"files/[0-9a-f]{2}/[0-9a-f-]{36}(\.picture|\.thumbnail)?")


class BackupNotAuthentic(StorageError):
    """The backup has no valid HMAC. Nothing was restored."""

    def __init__(self) -> None:
        super().__init__(
            "This backup was changed after it was made, or an older Famichat made it, which did not authenticate "
            "backups. If you are certain that it is yours, add --accept-unauthenticated. Nothing was changed"
        )


class BackupDamaged(StorageError):
    """The input is not a complete, unmodified backup. Nothing was restored."""

    def __init__(self, detail: str) -> None:
        super().__init__(f"The backup is damaged: {detail}. Nothing was changed")


@dataclass(frozen=True, slots=True)
class Manifest:
    """Metadata of a backup.

    Attributes:
        made_at: when it was taken (RFC 3339).
        database: the kind of database it was taken from and can be restored into.
        revision: the schema revision.
        epoch: the database epoch at that time.
        messages: the number of messages.
        proofs: values that verify keys without revealing them; see `famichat.storage.backup.backup`.
        tables: the digest of each table. Older backups have none.
    """

    made_at: str
    database: Literal["sqlite", "postgresql"]
    revision: str
    epoch: str
    messages: int
    proofs: dict[str, str]
    tables: dict[str, TableDigest] = field(default_factory=dict)

    def to_json(self) -> str:
        """Serialise to JSON."""
        return json.dumps({"format": _FORMAT, **asdict(self)}, indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Parse the output of `to_json`.

        Raises:
            BackupDamaged: the text is anything else, or an unknown format.
        """
        try:
            header: dict[str, Any] = json.loads(text)
            if header.pop("format") not in _KNOWN_FORMATS or header["database"] not in DATABASES:
                raise BackupDamaged("unknown format")
            tables = {name: TableDigest(**digest) for name, digest in header.pop("tables", {}).items()}
            return cls(**header, tables=tables)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise BackupDamaged("the manifest is unreadable") from error


def write(stream: IO[bytes], files: Mapping[str, Path], secret_key: str) -> None:
    """Write the files under these names, followed by their checksums. Missing attachment files are skipped.

    Args:
        stream: receives the backup.
        files: where each file is, by its name in the backup.
        secret_key: the server's, which authenticates the checksums.
    """
    with tarfile.open(mode="w|", fileobj=stream, format=tarfile.PAX_FORMAT) as tar:
        sums = ""
        for name, path in files.items():
            try:
                sums += f"{_add(tar, name, path)}  {name}\n"
            except FileNotFoundError:
                if not _FILE.fullmatch(name):
                    raise
        _add_text(tar, SUMS, sums)
        _add_text(tar, TAG, f"{_tag(secret_key, sums.encode())}\n")


def check_authentic(folder: Path, secret_key: str) -> None:
    """Check that an unpacked backup is as the server with this key wrote it.

    Raises:
        BackupNotAuthentic: it was changed, or made by an older Famichat, which wrote no HMAC.
    """
    try:
        written = (folder / TAG).read_bytes().strip()
    except FileNotFoundError:
        raise BackupNotAuthentic from None
    if not hmac.compare_digest(written, _tag(secret_key, (folder / SUMS).read_bytes()).encode()):
        raise BackupNotAuthentic


def _tag(secret_key: str, sums: bytes) -> str:
    key = HKDF(SHA256(), 32, salt=None, info=b"famichat/backup v1").derive(secret_key.encode())
    return hmac.new(key, sums, hashlib.sha256).hexdigest()


def read(stream: IO[bytes], folder: Path) -> Manifest:
    """Unpack a backup into `folder` and verify its checksums.

    Raises:
        BackupDamaged: it is incomplete, modified, or not a backup.
    """
    try:
        sums = _unpack(stream, folder)
        written = (folder / SUMS).read_text(encoding="utf-8") if SUMS in sums else ""
    except (tarfile.TarError, UnicodeDecodeError, EOFError) as error:
        raise BackupDamaged("it is truncated or not a tar file") from error
    promised = {name: value for value, _, name in (line.partition("  ") for line in written.splitlines())}
    if promised != {name: value for name, value in sums.items() if name not in {SUMS, TAG}}:
        raise BackupDamaged("a checksum does not match")
    manifest = Manifest.from_json((folder / MANIFEST).read_text(encoding="utf-8")) if MANIFEST in sums else None
    if manifest is None or DATABASES[manifest.database] not in sums:
        raise BackupDamaged("the database is missing")
    return manifest


def _unpack(stream: IO[bytes], folder: Path) -> dict[str, str]:
    sums: dict[str, str] = {}
    with tarfile.open(mode="r|", fileobj=stream) as tar:
        for member in tar:
            # Only these names, each once: a path in a name could write outside the folder.
            known = member.name in {MANIFEST, SUMS, TAG, SECRETS, *DATABASES.values()} or _FILE.fullmatch(member.name)
            if not known or member.name in sums or not member.isfile():
                raise BackupDamaged("it contains an unexpected file")
            sums[member.name] = _copy(cast("IO[bytes]", tar.extractfile(member)), folder / member.name)
    return sums


def _copy(source: IO[bytes], target: Path) -> str:
    digest = hashlib.sha256()
    target.parent.mkdir(mode=_PRIVATE_DIR, parents=True, exist_ok=True)
    target.touch(_PRIVATE_FILE, exist_ok=False)
    with target.open("wb") as file:
        while chunk := source.read(_CHUNK):
            digest.update(chunk)
            file.write(chunk)
    return digest.hexdigest()


def _add(tar: tarfile.TarFile, name: str, path: Path) -> str:
    header = tarfile.TarInfo(name)
    with path.open("rb") as file:
        found = os.fstat(file.fileno())
        header.size, header.mtime, header.mode = found.st_size, found.st_mtime, _PRIVATE_FILE
        tar.addfile(header, file)
        file.seek(0)
        return hashlib.file_digest(file, "sha256").hexdigest()


def _add_text(tar: tarfile.TarFile, name: str, text: str) -> None:
    content = text.encode()
    header = tarfile.TarInfo(name)
    header.size, header.mode = len(content), _PRIVATE_FILE
    tar.addfile(header, io.BytesIO(content))
