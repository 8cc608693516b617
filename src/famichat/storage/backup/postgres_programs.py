"""Runs PostgreSQL's client programs `pg_dump`, `pg_restore` and `psql`."""

import os
import shutil
import subprocess  # nosec B404 - starts pg_dump, pg_restore or psql, see run

from sqlalchemy import URL

from famichat.storage.errors import StorageError

_MAX_OUTPUT = 300


class ProgramMissing(StorageError):
    """A required system program is not installed."""

    def __init__(self, program: str) -> None:
        super().__init__(f"{program} is not installed. On Debian: apt-get install postgresql-client")


class ProgramFailed(StorageError):
    """A system program exited with an error; the message includes its output."""

    def __init__(self, program: str, output: str) -> None:
        super().__init__(f"{program} failed: {' '.join(output.split())[:_MAX_OUTPUT]}")


def run(program: str, *arguments: str, url: URL | None = None) -> None:
    """Run a program and wait for it.

    Args:
        program: its name.
        arguments: its arguments.
        url: the database to connect to, if any.

    Raises:
        ProgramMissing: it is not installed.
        ProgramFailed: its exit status is not 0.
    """
    found = shutil.which(program)
    if found is None:
        raise ProgramMissing(program)
    environment = dict(os.environ)
    where = []
    if url is not None:
        # The password goes into the environment, because any user of the machine can read command lines.
        environment |= {"PGPASSWORD": str(url.password)} if url.password else {}
        where = ["--dbname", url.set(drivername="postgresql")._replace(password=None).render_as_string()]
    ended = subprocess.run(  # noqa: S603 - no shell reads it  # nosec B603
        [found, *where, *arguments], env=environment, check=False, capture_output=True, text=True, errors="replace"
    )
    if ended.returncode:
        raise ProgramFailed(program, ended.stderr)
