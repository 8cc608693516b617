"""Encrypts a backup to an age recipient while it is written, and decrypts it while it is read (https://age-encryption.org).

    with encrypted(file, "age1...") as stream:
        archive.write(stream, files, secret_key)

Only the recipient is needed to make a backup, so a server can make backups that it cannot read. The plain tar file is
never on the disk.
"""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from famichat.storage.backup.archive import BackupDamaged
from famichat.storage.errors import StorageError

HEADER = b"age-encryption.org/v1"
_CHUNK = 1024 * 1024


class InvalidRecipient(StorageError):
    """The text is no age recipient."""

    def __init__(self) -> None:
        super().__init__("This is no age recipient. It begins with age1; `age-keygen` prints it as the public key")


class BackupEncrypted(StorageError):
    """The backup is encrypted, and no identity was given."""

    def __init__(self) -> None:
        super().__init__("This backup is encrypted. Name the file of the age identity: --identity FILE")


class WrongIdentity(StorageError):
    """The identity file does not decrypt the backup. Nothing was changed."""

    def __init__(self) -> None:
        super().__init__(
            "This file contains no age identity that decrypts the backup, or the backup is not encrypted. Nothing was "
            "changed"
        )


def check_recipient(recipient: str) -> None:
    """Check that it can be encrypted to.

    Raises:
        ModuleNotFoundError: the optional package for age is not installed.
        InvalidRecipient: it is not one.
    """
    age = _age()
    try:
        age.x25519.Recipient.from_str(recipient)
    except age.RecipientError as error:
        raise InvalidRecipient from error


@contextmanager
def encrypted(stream: IO[bytes], recipient: str) -> Iterator[IO[bytes]]:
    """Yield a stream. Everything that is written to it goes to `stream`, encrypted.

    Args:
        stream: receives the encrypted backup.
        recipient: the public key, `age1...`.

    Raises:
        ModuleNotFoundError, InvalidRecipient: see `check_recipient`.
        OSError: `stream` cannot be written to.
    """
    check_recipient(recipient)
    age, (reading, writing) = _age(), _pipe()
    to = [age.x25519.Recipient.from_str(recipient)]
    with ThreadPoolExecutor(1, "age") as thread:
        done = thread.submit(_run, lambda: age.encrypt_io(reading, stream, to), reading)
        try:
            with writing:
                yield writing
        except BrokenPipeError:
            _check_encrypted(done)  # says why the other end was closed
            raise
        _check_encrypted(done)


@contextmanager
def decrypted(stream: IO[bytes], identity_file: Path) -> Iterator[IO[bytes]]:
    """Yield the decrypted content of `stream`.

    Args:
        stream: an encrypted backup.
        identity_file: contains private keys, one a line (`age-keygen` writes it).

    Raises:
        ModuleNotFoundError: the optional package for age is not installed.
        WrongIdentity: the file does not decrypt it.
        BackupDamaged: the backup was cut or changed.
        OSError: the file cannot be read.
    """
    age, identities = _age(), _identities(identity_file)
    reading, writing = _pipe()
    with ThreadPoolExecutor(1, "age") as thread:
        done = thread.submit(_run, lambda: age.decrypt_io(stream, writing, identities), writing)
        try:
            with reading:
                yield reading
                while reading.read(_CHUNK):
                    pass  # to the end, where age finds out whether the file was cut
        except BackupDamaged:
            _check_decrypted(done)  # says more precisely why the content ended early
            raise
        _check_decrypted(done)


def _check_encrypted(done: Future[None]) -> None:
    try:
        done.result()
    except _age().EncryptError as error:  # contains the text of the exception of `stream`
        raise OSError(str(error)) from error


def _check_decrypted(done: Future[None]) -> None:
    error = done.exception()
    if isinstance(error, _age().DecryptError):
        raise WrongIdentity from error
    if error is not None:
        raise BackupDamaged("it cannot be decrypted completely") from error


def _run(work: Any, ours: IO[bytes]) -> None:
    with ours:
        work()


def _identities(file: Path) -> Sequence[Any]:
    age = _age()
    lines = [line.strip() for line in file.read_text(encoding="utf-8", errors="replace").splitlines()]
    try:
        return [age.x25519.Identity.from_str(line) for line in lines if line and not line.startswith("#")]
    except age.IdentityError as error:
        raise WrongIdentity from error


def _pipe() -> tuple[IO[bytes], IO[bytes]]:
    reading, writing = os.pipe()
    return os.fdopen(reading, "rb"), os.fdopen(writing, "wb")


def _age() -> Any:
    import pyrage  # type: ignore[import-untyped]  # has no types  # noqa: PLC0415 - an optional package

    return pyrage
