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


class Postgres:
    """One running cluster. `start`, `stop` and `kill` let a test take the database away for a while."""

    def __init__(self, folder: Path) -> None:
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
        }
        with (self.data / "postgresql.conf").open("a") as conf:
            conf.writelines(f"{name} = '{value}'\n" for name, value in settings.items())

    def url(self, name: str = "postgres") -> str:
        """The address of one of its databases, as Famichat's settings take it."""
        return f"postgresql://famichat@127.0.0.1:{self.port}/{name}"

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
        """Remove a database, whoever is still connected."""
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


@contextmanager
def running_postgres() -> Iterator[Postgres]:
    """A fresh cluster for as long as the block runs."""
    with tempfile.TemporaryDirectory(prefix="famichat-postgres-") as name:
        folder = Path(name)
        if os.geteuid() == 0:
            user = pwd.getpwnam("postgres")
            os.chown(folder, user.pw_uid, user.pw_gid)
        postgres = Postgres(folder)
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
