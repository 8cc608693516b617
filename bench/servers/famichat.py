"""Famichat, on SQLite or PostgreSQL."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import urlsplit

from bench.protocols.phoenix import Phoenix
from bench.seed import seed
from bench.servers.server import NotInstalled, Population, Server
from famichat.settings import Settings, load_settings
from tests.support.postgres import running_postgres

_SETTINGS: Final = {"rate_limits": "off", "connections_per_address": 20_000, "log_level": "INFO", "log_format": "json"}
_STOP_SECONDS: Final = 30


class Famichat(Server):
    """Famichat on SQLite."""

    has_mls = True
    start_seconds: float

    @classmethod
    @contextmanager
    def run(cls, folder: Path, population: Population) -> Iterator[Self]:
        """See `Server`."""
        with ExitStack() as stack:
            database, database_pids = cls._database(stack)
            settings = load_settings(data_dir=folder / "data", port=0, **_SETTINGS, **database)
            directory = seed(settings, population)
            port, pid, cls_seconds = stack.enter_context(serving(settings, folder, database))
            self = cls()
            self.start_seconds, self.pid, self.pids = cls_seconds, pid, [pid, *database_pids]
            self.protocol = Phoenix(port, directory)
            yield self

    @classmethod
    def _database(cls, _stack: ExitStack) -> tuple[dict[str, str], list[int]]:
        """Return the settings of the database, and its processes."""
        return {}, []


class FamichatOnPostgres(Famichat):
    """Famichat on PostgreSQL."""

    @classmethod
    def _database(cls, stack: ExitStack) -> tuple[dict[str, str], list[int]]:
        try:
            postgres = stack.enter_context(running_postgres(durable=True))
        except FileNotFoundError as error:
            raise NotInstalled("postgresql") from error
        return {"database_url": postgres.create("famichat")}, [postgres.pid]


@contextmanager
def serving(settings: Settings, folder: Path, more: Mapping[str, Any]) -> Iterator[tuple[int, int, float]]:
    """Run `famichat serve` on existing data.

    Args:
        settings: of the data.
        folder: for the log.
        more: settings in addition to those that every measurement has.

    Yields:
        the port, the process, and the seconds until it was ready.
    """
    environment = {f"FAMICHAT_{name.upper()}": str(value) for name, value in {**_SETTINGS, **more}.items()}
    command: list[str | Path] = [
        sys.executable,
        "-m",
        "famichat",
        "serve",
        "--json",
        "--port",
        "0",
        "--data-dir",
        settings.data_dir,
    ]
    started = time.perf_counter()
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=log)
    try:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        yield urlsplit(ready["url"]).port or 0, process.pid, time.perf_counter() - started
    finally:
        process.terminate()
        process.communicate(timeout=_STOP_SECONDS)
