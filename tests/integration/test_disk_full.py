"""The disk under SQLite is full under load: clients get errors, can read, and the server recovers."""

import resource
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from tests.support.history import check
from tests.support.load import Load
from tests.support.scarce_disk import fill, small_disk
from tests.support.server import FamichatServer
from tests.support.talkers import KEYS, Talkers, move_in, sqlite_in


async def test_a_full_disk_refuses_new_messages_and_loses_none(tmp_path: Path) -> None:
    """SQLite reports "database or disk is full"."""
    with small_disk(tmp_path, megabytes=16) as disk:
        talkers = move_in(sqlite_in(disk / "data"))
        async with FamichatServer(disk / "data", settings=KEYS, log=tmp_path / "server.log") as server:
            await ride_out(server, talkers, full(disk))


async def test_a_failing_disk_refuses_new_messages_and_loses_none(tmp_path: Path) -> None:
    """A file cannot grow: SQLite reports "disk I/O error", as with a quota or a failing disk."""
    talkers = move_in(sqlite_in(tmp_path / "data"))
    async with FamichatServer(tmp_path / "data", settings=KEYS) as server:
        await ride_out(server, talkers, no_growth(server, tmp_path / "data"))


async def ride_out(server: FamichatServer, talkers: Talkers, shortage: AbstractContextManager[None]) -> None:
    """Send messages before, during and after a shortage, and check the guarantees."""
    load = Load(server.socket_url, talkers.seats, size=2000)
    async with load:
        await load.talk_on()
        with shortage:
            assert await load.wait_until(lambda: load.outcomes["unavailable"] >= 10), "nobody was told"
            assert (await talkers.try_to_read(server.url)).json()["messages"], "reading stopped too"
        await load.talk_on(patience=10)

    assert check(await talkers.history(server.url, load.records)) == []
    assert set(load.outcomes) == {"acked", "unavailable"}
    assert load.gaps == 0


@contextmanager
def full(disk: Path) -> Iterator[None]:
    ballast = fill(disk)
    try:
        yield
    finally:
        ballast.unlink()


@contextmanager
def no_growth(server: FamichatServer, data_dir: Path) -> Iterator[None]:
    """Limit every file of the server to the size of its largest one."""
    largest = max(path.stat().st_size for path in data_dir.iterdir())
    _, hard = resource.prlimit(server.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (largest, hard))
    try:
        yield
    finally:
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (hard, hard))
