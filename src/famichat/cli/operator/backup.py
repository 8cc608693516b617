"""`famichat backup` and `famichat restore`: back up a server's data to one file, and restore it."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import IO, Any

import click

from famichat.app.backups import encrypted_to, place_of
from famichat.app.lost_access import RemovedAgain, ReplacedData, remove_noted, replaced_data
from famichat.attachments.sample import open_newest_files
from famichat.cli.operator.opened_data import open_for_writing, open_readonly
from famichat.cli.options import counted, data_dir_option, json_option, print_result
from famichat.cli.refusal import Refused
from famichat.settings import load_settings
from famichat.storage.backup.archive import Manifest
from famichat.storage.backup.backup import Server
from famichat.storage.backup.backup import backup as write_backup
from famichat.storage.backup.encryption import HEADER, BackupEncrypted, check_recipient, decrypted
from famichat.storage.backup.restore import restore as restore_backup
from famichat.storage.backup.staging import staging
from famichat.storage.backup.verify import verify as verify_backup
from famichat.storage.backup.whole_file import whole_file
from famichat.storage.base import now
from famichat.storage.data_dir import DataDir
from famichat.storage.database import Database
from famichat.storage.errors import StorageUnavailable

_PIPE = Path("-")
_AGAIN = "Access that was removed since the backup is active again; see --revocations-from."


_identity_option = click.option(
    "--identity",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="The file with the age identity that decrypts the backup.",
)


class _BackupCommands(click.Group):
    """`famichat backup FILE` makes a backup; other subcommands have names."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Add the name of the default subcommand."""
        named = args and (args[0] in self.commands or args[0] in ctx.help_option_names)
        return super().parse_args(ctx, args if named else ["create", *args])


@click.group(cls=_BackupCommands)
def backup() -> None:
    """Back up everything to one file, and verify backups. `backup FILE` is short for `backup create FILE`."""


@backup.command()
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True, dir_okay=False), required=False)
@click.option("--without-secrets", is_flag=True, help="Leave out the keys. Without them the backup cannot be read.")
@click.option("--encrypt-to", "recipient", metavar="RECIPIENT", help="Encrypt it to this age recipient (age1...).")
@data_dir_option
@json_option
def create(
    file: Path | None, data_dir: Path | None, *, without_secrets: bool, recipient: str | None, as_json: bool
) -> None:
    """Back up everything to one FILE. Works while the server runs.

    FILE defaults to famichat-<time>.tar in this directory, or .tar.age if it is encrypted. - writes to standard output.
    """
    if recipient is not None:
        check_recipient(recipient)
    ending = "tar" if recipient is None else "tar.age"
    target = file or Path(f"famichat-{now():%Y%m%dT%H%M%SZ}.{ending}")
    with open_readonly(data_dir) as data:
        here, settings = DataDir(data.settings.data_dir), data.settings
        with _archive_file(target, here) as (raw, folder), encrypted_to(recipient, raw) as stream:
            server = Server(
                data.database,
                lambda: here.secrets(settings.secret_key, settings.vault_keys),
                settings.effective_files_dir,
            )
            manifest = write_backup(server, stream, folder, with_secrets=not without_secrets)
    here.note_backup(datetime.fromisoformat(manifest.made_at))
    encryption = {"encrypted": recipient is not None}
    result = {"file": str(target), "secrets": not without_secrets, **encryption, **_summary(manifest)}
    if target == _PIPE:
        click.echo(_sentence(result), err=True)
    else:
        print_result(result, _sentence(result), as_json=as_json)


@backup.command()
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True, dir_okay=False))
@_identity_option
@data_dir_option
@json_option
def verify(file: Path, identity: Path | None, data_dir: Path | None, *, as_json: bool) -> None:
    """Restore a backup into a scratch place and compare it with its manifest. Works while the server runs.

    It needs room for the unpacked backup in the data directory. - reads the backup from standard input.
    """
    settings = load_settings(data_dir=data_dir)
    here = DataDir(settings.data_dir)
    with _read(file, identity) as stream, staging(here.path, here) as folder:
        verified = verify_backup(stream, place_of(settings), folder, open_newest_files)
    here.note_verified(now())
    counts = {"tables": len(verified.manifest.tables), "values": verified.values, "files": verified.files}
    result = _summary(verified.manifest) | counts | {"authenticated": verified.by_own_keys}
    sentence = (
        f"The backup of {result['made_at']} is good: {counted(result['messages'], 'message')}, and "
        f"{counted(result['tables'], 'table')} as they were. Decrypted: {counted(result['values'], 'value')} and "
        f"{counted(result['files'], 'file')}. {_origin(verified.by_own_keys)}"
    )
    print_result(result, sentence.rstrip(), as_json=as_json)


@click.command()
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True, dir_okay=False))
@click.option(
    "--accept-unauthenticated",
    is_flag=True,
    help="Restore a backup that cannot be authenticated, such as one of an older Famichat.",
)
@click.option(
    "--revocations-from",
    "replaced",
    metavar="DATABASE",
    help="The data directory, SQLite file or URL of the database that is replaced. Access that was removed there since "
    "the backup, such as that of lost devices, is removed again and listed.",
)
@_identity_option
@data_dir_option
@json_option
def restore(
    file: Path,
    identity: Path | None,
    data_dir: Path | None,
    *,
    accept_unauthenticated: bool,
    replaced: str | None,
    as_json: bool,
) -> None:
    """Restore a backup into an empty data directory. - reads it from standard input.

    Clients notice the restore and reload their history.
    """
    settings = load_settings(data_dir=data_dir)
    here = DataDir(settings.data_dir)
    lost = None if replaced is None else _replaced_data(replaced).to_json()
    with here.lock(), _read(file, identity) as stream:
        restored = restore_backup(
            stream, place_of(settings), accept_unauthenticated=accept_unauthenticated, lost_access=lost
        )
    removed: list[RemovedAgain] = []
    if lost is not None:
        with open_for_writing(settings, stopped=True) as data:
            removed = remove_noted(data.database, here)
    is_authentic = restored.by_own_keys and not accept_unauthenticated
    result = _summary(restored.manifest) | {
        "epoch": restored.epoch,
        "authenticated": is_authentic,
        "removed_again": [asdict(each) for each in removed],
    }
    sentences = (
        f"Restored {counted(result['messages'], 'message')} from the backup of {result['made_at']}.",
        "You can start the server now.",
        _origin(is_authentic),
        _AGAIN if lost is None else "",
    )
    print_result(result, "\n".join([" ".join(filter(None, sentences)), *map(_described, removed)]), as_json=as_json)


def _replaced_data(replaced: str) -> ReplacedData:
    """Read who has lost access in the database that a restore replaces."""
    path = Path(replaced)
    file = path / "famichat.db" if path.is_dir() else path
    if "://" not in replaced and not file.is_file():
        raise Refused("no_database", f"There is no database at {file}. Nothing was restored")
    database = Database(replaced if "://" in replaced else f"sqlite:///{file.absolute()}")
    try:
        return replaced_data(database)
    except StorageUnavailable as error:
        raise Refused(
            "unavailable",
            f"The database at {database.url.render_as_string()} cannot be read. Nothing was restored. To restore "
            "without its removals, leave --revocations-from out",
        ) from error
    finally:
        database.close()


def _described(removed: RemovedAgain) -> str:
    what = {
        "user": f"the account of {removed.username}",
        "family": f"{removed.username} from the family {removed.name}",
        "conversation": f"{removed.username} from {removed.name or 'a conversation'}",
        "device": f"the device {removed.name!r} of {removed.username}",
    }[removed.kind]
    since = "" if removed.removed_at is None else f" (as on {removed.removed_at[:10]})"
    if removed.is_removed:
        return f"Removed again: {what}{since}."
    return f"Not removed again, because {removed.username} is the only admin: {what}{since}."


def _origin(is_authentic: bool) -> str:  # noqa: FBT001 - the one fact to put into words
    if is_authentic:
        return ""
    return "Whether someone changed it is not known: the keys to check that were not here, but in the backup."


def _summary(manifest: Manifest) -> dict[str, Any]:
    names = ("made_at", "database", "revision", "epoch", "messages")
    return {name: getattr(manifest, name) for name in names}


def _sentence(result: dict[str, Any]) -> str:
    keys = (
        "It contains the keys: anyone who has the file"
        + (" and the identity" if result["encrypted"] else "")
        + " can read it."
        if result["secrets"]
        else "It does not contain the keys: back them up separately."
    )
    where = "" if result["file"] == str(_PIPE) else f" to {result['file']}"
    return f"Backed up {counted(result['messages'], 'message')}{where}. {keys}"


@contextmanager
def _archive_file(target: Path, data_dir: DataDir) -> Iterator[tuple[IO[bytes], Path]]:
    """Yield a stream to write to and a directory for temporary files. `target` is created whole, or not at all."""
    if target == _PIPE:
        with staging(data_dir.path, data_dir) as folder:
            yield sys.stdout.buffer, folder
            sys.stdout.buffer.flush()
        return
    if target.exists():
        raise Refused("file_exists", f"{target} already exists and was not overwritten")
    with whole_file(target, data_dir) as (stream, folder):
        yield stream, folder


@contextmanager
def _read(file: Path, identity: Path | None) -> Iterator[IO[bytes]]:
    with nullcontext(sys.stdin.buffer) if file == _PIPE else file.open("rb") as stream:
        if identity is not None:
            with decrypted(stream, identity) as content:
                yield content
            return
        if file != _PIPE:
            if stream.read(len(HEADER)) == HEADER:
                raise BackupEncrypted
            stream.seek(0)
        yield stream
