"""Turns the expected errors of a command into messages."""

import errno
import socket
from typing import IO, Any

import click
from sqlalchemy.exc import DBAPIError

from famichat.accounts.errors import UsernameTaken
from famichat.app.backups import BackupBeforeMigrationFailed
from famichat.attachments.files import FilesOfAnotherServer
from famichat.cli.operator.administration import ServerError
from famichat.cli.refusal import MISUSED, Refused
from famichat.error_codes import CODES
from famichat.errors import FamichatError
from famichat.settings import SettingsFaults
from famichat.storage.backup.archive import BackupDamaged, BackupNotAuthentic
from famichat.storage.backup.backup import NothingToBackUp, WrongKeys
from famichat.storage.backup.encryption import BackupEncrypted, InvalidRecipient, WrongIdentity
from famichat.storage.backup.postgres_programs import ProgramFailed, ProgramMissing
from famichat.storage.backup.restore import KeysNotInBackup, NotEmpty, OtherDatabase
from famichat.storage.backup.verify import NoScratchDatabase
from famichat.storage.crypto.vault_keys import WrongVaultKeys
from famichat.storage.data_dir import DirectoryInUse, SecretsDamaged, SecretsMissing
from famichat.storage.errors import StorageUnavailable, UnsealError
from famichat.storage.move import MoveDiffers, TargetNotEmpty
from famichat.storage.problems import DatabaseUnusable, problem_of
from famichat.storage.revision import NewerDatabaseError

_STORAGE_ERRORS: tuple[tuple[type[Exception], str, str], ...] = (
    (DirectoryInUse, "directory_in_use", ""),
    (SecretsDamaged, "secrets_damaged", ""),
    (SecretsMissing, "secrets_missing", ""),
    (NewerDatabaseError, "newer_database", ""),
    (BackupDamaged, "backup_damaged", ""),
    (BackupNotAuthentic, "backup_not_authentic", ""),
    (BackupEncrypted, "backup_encrypted", ""),
    (WrongIdentity, "wrong_identity", ""),
    (InvalidRecipient, "invalid_recipient", ""),
    (BackupBeforeMigrationFailed, "backup_failed", ""),
    (NoScratchDatabase, "no_scratch_database", ""),
    (NothingToBackUp, "no_database", ""),
    (NotEmpty, "not_empty", ""),
    (OtherDatabase, "other_database", ""),
    (TargetNotEmpty, "not_empty", ""),
    (MoveDiffers, "move_differs", ""),
    (FilesOfAnotherServer, "files_of_another_server", ""),
    (KeysNotInBackup, "secrets_missing", ""),
    (WrongKeys, "wrong_keys", ""),
    (WrongVaultKeys, "wrong_keys", ""),
    (ProgramMissing, "no_program", ""),
    (ProgramFailed, "program_failed", ""),
    (UnsealError, "wrong_keys", "The stored data cannot be decrypted with these keys"),
)


_EXTRAS = {"psycopg": "postgres", "redis": "redis", "nats": "nats", "opentelemetry": "otlp", "pyrage": "age"}
"""The extra that contains each optional package, by the package's top-level module."""


class BadSettings(click.ClickException):
    """Invalid settings, all of them at once."""

    exit_code = MISUSED

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults

    def show(self, file: IO[Any] | None = None) -> None:
        """Print one line per invalid setting."""
        for fault in self.faults:
            click.echo(f"famichat: {fault} (invalid_settings)", file=file, err=file is None)


def to_message(fault: Exception) -> click.ClickException | None:
    """Convert an expected error to the message that the command prints; return None for an unexpected error."""
    if isinstance(fault, SettingsFaults):
        return BadSettings(fault.faults)
    if isinstance(fault, ModuleNotFoundError):
        return _missing_extra(fault)
    if isinstance(fault, OSError) and not isinstance(fault, BrokenPipeError):  # click exits quietly on a closed pipe
        return _from_os_error(fault)
    if isinstance(fault, StorageUnavailable):
        fault = _problem_behind(fault)
    return _from_expected(fault)


def _from_expected(fault: Exception) -> Refused | None:
    if isinstance(fault, DatabaseUnusable):
        return Refused(fault.code, str(fault))
    for kind, code, sentence in _STORAGE_ERRORS:
        if isinstance(fault, kind):
            return Refused(code, sentence or str(fault))
    return _from_code(fault.code, fault.details) if isinstance(fault, FamichatError | ServerError) else None


def _missing_extra(fault: ModuleNotFoundError) -> Refused | None:
    extra = _EXTRAS.get((fault.name or "").partition(".")[0])
    if extra is None:
        return None
    return Refused(
        "extra_missing", f"These settings need more packages. Install them with: pip install famichat[{extra}]"
    )


def _from_code(code: str, details: dict[str, Any]) -> Refused:
    if code == UsernameTaken.code and "suggestions" in details:
        names = ", ".join(details["suggestions"])
        return Refused(code, f"{CODES[code].title} These are free: {names}")
    return Refused(code, str(details.get("detail", "")))


def _problem_behind(fault: StorageUnavailable) -> DatabaseUnusable:
    """Name the driver's error that a transaction failed with."""
    cause = fault.__cause__
    return problem_of(cause.orig if isinstance(cause, DBAPIError) else cause) or DatabaseUnusable("unavailable")


def _from_os_error(fault: OSError) -> Refused:
    if fault.errno == errno.EADDRINUSE:
        return Refused("port_taken", "This port is in use. Choose another one with --port")
    if isinstance(fault, socket.gaierror) or fault.errno == errno.EADDRNOTAVAIL:
        return Refused("no_such_address", "This computer does not have the address to listen on. Correct FAMICHAT_HOST")
    if fault.errno == errno.EACCES and fault.filename is None:  # bind() names no file
        return Refused("port_forbidden", "Only root may use ports below 1024. Choose another one with --port")
    where = f": {fault.filename}" if fault.filename else ""
    return Refused("os_error", f"{fault.strerror or fault}{where}")
