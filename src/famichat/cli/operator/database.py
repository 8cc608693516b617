"""`famichat migrate` and `sql`: upgrade and inspect the database."""

import os
import shutil
import subprocess  # nosec B404 - starts sqlite3 or psql, see _run
from pathlib import Path

import click
from sqlalchemy import make_url

from famichat.cli.operator.opened_data import on_sqlite, open_for_writing, open_readonly, sqlite_file
from famichat.cli.options import data_dir_option, json_option, print_result
from famichat.cli.refusal import Refused
from famichat.settings import Settings, load_settings
from famichat.storage.data_dir import DataDir, DirectoryInUse
from famichat.storage.migrate import make
from famichat.storage.revision import newest, revision


@click.command()
@click.option("--make", "message", help="For developers: generate a migration from the changed models.")
@click.option("--without-backup", is_flag=True, help="Do not back the database up first.")
@data_dir_option
@json_option
def migrate(message: str | None, data_dir: Path | None, *, without_backup: bool, as_json: bool) -> None:
    """Back the database up and upgrade it. `famichat serve` does this automatically."""
    schedule = "off" if without_backup else None
    settings = load_settings(data_dir=data_dir, backup_schedule=schedule)
    try:
        with open_for_writing(settings) as data:
            if message is not None:
                make(data.database, message)
    except DirectoryInUse:
        # A server migrates when it starts, so there is nothing to do unless it is of an older release.
        if message is not None or not _is_at_newest(settings):
            raise
    print_result({"revision": newest()}, f"The database is at revision {newest()}.", as_json=as_json)


def _is_at_newest(settings: Settings) -> bool:
    file = sqlite_file(settings)
    if file is not None and not file.is_file():
        return False
    with open_readonly(settings.data_dir) as data:
        return data.database.run_read(lambda session: revision(session.connection())) == newest()


@click.command()
@click.argument("statement", nargs=-1)
@data_dir_option
def sql(statement: tuple[str, ...], data_dir: Path | None) -> None:
    """Open the database shell (sqlite3 or psql). Read-only on SQLite while the server runs.

    With a STATEMENT, runs it and exits.
    """
    settings = load_settings(data_dir=data_dir)
    if not on_sqlite(settings):
        _psql(settings, statement)
        return
    with open_readonly(data_dir):
        pass  # fails if there is no database
    try:
        with DataDir(settings.data_dir).lock():
            _run("sqlite3", str(sqlite_file(settings)), *statement)
    except DirectoryInUse:
        click.echo("Famichat is running, so this is read-only.", err=True)
        _run("sqlite3", "-readonly", str(sqlite_file(settings)), *statement)


def _psql(settings: Settings, statement: tuple[str, ...]) -> None:
    # Pass the password in the environment, because other users of the machine can read command lines.
    url = make_url(settings.effective_database_url)
    password = {"PGPASSWORD": str(url.password)} if url.password else {}
    bare = url._replace(password=None).render_as_string()
    command = ["--command", " ".join(statement)] if statement else []
    _run("psql", bare, *command, **password)


def _run(program: str, *arguments: str, **environment: str) -> None:
    found = shutil.which(program)
    if found is None:
        package = {"psql": "postgresql-client"}.get(program, program)
        raise Refused("no_program", f"{program} is not installed. On Debian: apt-get install {package}")
    command = [found, *arguments]
    ended = subprocess.run(command, env=os.environ | environment, check=False)  # noqa: S603 - no shell reads it  # nosec B603
    if ended.returncode:
        raise Refused("program_failed", f"{program} exited with status {ended.returncode}")
