"""A PostgreSQL of the tests' own: a cluster in a temporary folder, on a free port of the loopback interface."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from famichat.storage.revision import newest


class Postgres:
    """One running cluster. `start`, `stop` and `kill` let a test take the database away for a while.

    Args:
        folder: for its data.
        durable: whether a commit reaches the disk. The tests kill processes but not the machine, so for them the page
            cache is durable enough.
    """

    def __init__(self, folder: Path, *, durable: bool = False) -> None:
        self.data = folder / "data"
        self.port = _free_port()
        self._log = folder / "log"
        self._run(
            "initdb", "-D", self.data, "-U", "famichat", "-A", "trust", "-k", "--no-sync", "-E", "UTF8", "--locale=C"
        )
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": "",
            "max_connections": 200,
            "fsync": "on" if durable else "off",
            "full_page_writes": "on" if durable else "off",
        }
        with (self.data / "postgresql.conf").open("a") as conf:
            conf.writelines(f"{name} = '{value}'\n" for name, value in settings.items())

    def url(self, name: str = "postgres") -> str:
        """The address of one of its databases, as Famichat's settings take it."""
        return f"postgresql://famichat@127.0.0.1:{self.port}/{name}"

    @property
    def pid(self) -> int:
        """The main process of the running cluster."""
        return int((self.data / "postmaster.pid").read_text().split()[0])

    def start(self) -> None:
        """Start the cluster and wait until it answers."""
        self._run("pg_ctl", "-D", self.data, "-l", self._log, "-w", "-s", "start")

    def stop(self, mode: str = "immediate") -> None:
        """Stop it; "immediate" is as good as a crash."""
        self._run("pg_ctl", "-D", self.data, "-m", mode, "-w", "-s", "stop")

    def create(self, name: str, template: str = "template0") -> str:
        """Make a database and give its address."""
        self.sql(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return self.url(name)

    def drop(self, name: str) -> None:
        """Drop a database, even with open connections."""
        self.sql(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def sql(self, statement: str) -> None:
        """Run one statement outside a transaction."""
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(statement.encode())

    def _run(self, program: str, *arguments: object) -> None:
        command = [str(_binaries() / program), *map(str, arguments)]
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root
            command = ["runuser", "-u", "postgres", "--", *command]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd="/")


class Spare:
    """A migrated database that is emptied after each test, which is much cheaper than making one for each.

    Args:
        cluster: where it is.
        template: the migrated database to copy when there is none, or when a test has spoilt it.
    """

    def __init__(self, cluster: Postgres, template: str) -> None:
        self._cluster = cluster
        self._template = template
        self._made = 0
        self._name: str | None = None

    def take(self) -> str:
        """The address of the empty database."""
        if self._name is None:
            self._made += 1
            self._name = f"spare_{self._made}"
            self._cluster.create(self._name, self._template)
        return self._cluster.url(self._name)

    def give_back(self) -> None:
        """Empty it; drop it, if that is not possible at once, or if its schema is not as it was."""
        if self._name is None:
            return
        try:
            with psycopg.connect(self._cluster.url(self._name), autocommit=True) as connection:
                connection.execute(f"SET lock_timeout = '{_LOCK_MS}ms'".encode())
                connection.execute(b"SET session_replication_role = replica")  # otherwise the audit log would refuse it
                connection.execute(_EMPTY)
                as_it_was = connection.execute(_REVISION).fetchone() == (newest(),)
        except psycopg.Error:
            as_it_was = False
        if not as_it_was:
            self._cluster.drop(self._name)
            self._name = None


_LOCK_MS = 500
_REVISION = b"SELECT version_num FROM alembic_version"
_EMPTY = b"""
DO $$ DECLARE tables text[]; emptied text; BEGIN
  SELECT array_agg(quote_ident(tablename)) INTO tables FROM pg_tables
    WHERE schemaname = 'public' AND tablename NOT IN ('alembic_version', 'history');
  EXECUTE 'LOCK TABLE ' || array_to_string(tables, ', ') || ' IN ACCESS EXCLUSIVE MODE';
  FOREACH emptied IN ARRAY tables LOOP EXECUTE 'DELETE FROM ' || emptied; END LOOP;
END $$
"""
"""The lock waits for transactions that a test left open. DELETE takes 2 ms and TRUNCATE 40: it makes new files."""


@contextmanager
def running_postgres(*, durable: bool = False) -> Iterator[Postgres]:
    """A fresh cluster for as long as the block runs; see `Postgres` for the argument."""
    with tempfile.TemporaryDirectory(prefix="famichat-postgres-") as name:
        folder = Path(name)
        if os.geteuid() == 0:
            user = pwd.getpwnam("postgres")
            os.chown(folder, user.pw_uid, user.pw_gid)
        postgres = Postgres(folder, durable=durable)
        postgres.start()
        try:
            yield postgres
        finally:
            postgres.stop()


def _binaries() -> Path:
    """Where `initdb` and `pg_ctl` are: Debian keeps them out of the PATH."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    found = debian[-1] if debian else shutil.which("initdb")
    if found is None:
        raise FileNotFoundError("PostgreSQL is not installed; on Debian: apt-get install postgresql")
    return Path(found).parent


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
