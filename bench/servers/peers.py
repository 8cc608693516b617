"""The servers that Famichat is compared with: ejabberd on PostgreSQL, Prosody on files, and socket.io."""

import asyncio
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Self

import psycopg

from bench.protocols.socket_io import SocketIo
from bench.protocols.xmpp import Xmpp
from bench.servers.server import NotInstalled, Population, Server, free_port, give_to, process, wait_for_port
from tests.support.postgres import running_postgres

_HERE: Final = Path(__file__).parent
_SCHEMA: Final = Path("/usr/share/ejabberd/sql/pg.sql")
_ERLANG_DRIVER: Final = "erlang-p1-pgsql"
# Without busy waiting of its schedulers, ejabberd's CPU time counts only work.
_NO_BUSY_WAITING: Final = 'ERL_OPTIONS="-env ERL_CRASH_DUMP_BYTES 0 +sbwt none +sbwtdcpu none +sbwtdio none"\n'


class Ejabberd(Server):
    """ejabberd on PostgreSQL, both from Debian."""

    @classmethod
    @contextmanager
    def run(cls, folder: Path, population: Population) -> Iterator[Self]:
        """See `Server`."""
        program = _program("ejabberdctl", "ejabberd")
        if not any(Path("/usr/lib/erlang/lib").glob("p1_pgsql*")):
            raise NotInstalled(_ERLANG_DRIVER)
        port, distribution_port = free_port(), free_port()
        with running_postgres(durable=True) as postgres:
            with psycopg.connect(postgres.create("ejabberd"), autocommit=True) as connection:
                connection.execute(_SCHEMA.read_bytes())
            settings = (_HERE / "ejabberd.yml").read_text()
            settings = settings.replace("{port}", str(port)).replace("{database_port}", str(postgres.port))
            (folder / "ejabberd.yml").write_text(settings)
            (folder / "ctl.cfg").write_text(
                f"{_NO_BUSY_WAITING}ERL_DIST_PORT={distribution_port}\nINET_DIST_INTERFACE=127.0.0.1\n"
            )
            (folder / "logs").mkdir()
            give_to(folder, "ejabberd")
            command: list[str | Path] = [
                program,
                "--config",
                folder / "ejabberd.yml",
                "--ctl-config",
                folder / "ctl.cfg",
            ]
            command += ["--logs", folder / "logs", "--spool", folder, "--node", "bench@localhost", "foreground"]
            environment = {"HOME": str(folder), "EJABBERD_PID_PATH": ""}
            with process(command, folder, user="ejabberd", env=environment) as started:
                wait_for_port(port, started)
                self = cls()
                self.pid, self.pids = started.pid, [started.pid, postgres.pid]
                self.protocol = _with_users(Xmpp(port), population)
                yield self


class Prosody(Server):
    """Prosody from Debian, which stores messages in files without waiting for the disk."""

    @classmethod
    @contextmanager
    def run(cls, folder: Path, population: Population) -> Iterator[Self]:
        """See `Server`."""
        program, port = _program("prosody", "prosody"), free_port()
        settings = (_HERE / "prosody.cfg.lua").read_text().replace("@PORT@", str(port))
        (folder / "prosody.cfg.lua").write_text(settings.replace("@FOLDER@", str(folder)))
        (folder / "data").mkdir()
        with process([program, "-F", "--config", folder / "prosody.cfg.lua"], folder) as started:
            wait_for_port(port, started)
            self = cls()
            self.pid, self.pids = started.pid, [started.pid]
            self.protocol = _with_users(Xmpp(port), population)
            yield self


class BareSocketIo(Server):
    """A socket.io server that relays messages and stores nothing."""

    keeps_messages = False

    @classmethod
    @contextmanager
    def run(cls, folder: Path, population: Population) -> Iterator[Self]:  # noqa: ARG003 - it accepts every user
        """See `Server`."""
        program, port, script = _program("node", "nodejs"), free_port(), _HERE / "socket_io/server.cjs"
        if not (script.parent / "node_modules/socket.io").is_dir():
            raise NotInstalled("socket.io (npm)")
        environment = {"PORT": str(port), "NODE_ENV": "production"}
        with process([program, script], folder, env=environment) as started:
            wait_for_port(port, started)
            self = cls()
            self.pid, self.pids, self.protocol = started.pid, [started.pid], SocketIo(port)
            yield self


def _program(name: str, package: str) -> Path:
    found = shutil.which(name)
    if found is None:
        raise NotInstalled(package)
    return Path(found)


def _with_users(protocol: Xmpp, population: Population) -> Xmpp:
    asyncio.run(protocol.register(population.users))
    return protocol
