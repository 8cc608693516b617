"""PostgreSQL's own programs: what `pg_dump` wrote, only `pg_restore` and `psql` put back as it was."""

import os
import shutil
import subprocess  # nosec B404 - starts pg_dump, pg_restore or psql, see run

from sqlalchemy import URL

from famichat.storage.errors import StorageError

_SAID = 300


class ProgramMissing(StorageError):
    """A program of the system is needed and not installed."""

    def __init__(self, program: str) -> None:
        super().__init__(f"{program} is not installed. On Debian: apt-get install postgresql-client")


class ProgramFailed(StorageError):
    """A program of the system ended with an error; says what it said."""

    def __init__(self, program: str, said: str) -> None:
        super().__init__(f"{program} failed: {' '.join(said.split())[:_SAID]}")


def run(program: str, *arguments: str, url: URL | None = None) -> None:
    """Run one of them to its end.

    Args:
        program: which.
        arguments: what to do.
        url: the database, if it is to connect to one.

    Raises:
        ProgramMissing, ProgramFailed: it did not do it.
    """
    found = shutil.which(program)
    if found is None:
        raise ProgramMissing(program)
    environment = dict(os.environ)
    where = []
    if url is not None:
        # The password goes into the environment: everybody on the machine can read a command line.
        environment |= {"PGPASSWORD": str(url.password)} if url.password else {}
        where = ["--dbname", url.set(drivername="postgresql")._replace(password=None).render_as_string()]
    ended = subprocess.run(  # noqa: S603 - no shell reads it  # nosec B603
        [found, *where, *arguments], env=environment, check=False, capture_output=True, text=True, errors="replace"
    )
    if ended.returncode:
        raise ProgramFailed(program, ended.stderr)
