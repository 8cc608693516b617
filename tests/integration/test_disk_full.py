"""The disk under SQLite is full under load: clients get errors, can read, and the server recovers."""

import asyncio
import resource
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Final

import httpx

from tests.factories.people import PASSWORD
from tests.support.history import check
from tests.support.load import Load
from tests.support.scarce_disk import fill, small_disk
from tests.support.server import FamichatServer
from tests.support.talkers import KEYS, Talkers, move_in, sqlite_in

SIGN_IN: Final = {"username": "maja", "password": PASSWORD}


async def test_a_full_disk_refuses_new_messages_and_loses_none(tmp_path: Path) -> None:
    """SQLite reports "database or disk is full"."""
    with small_disk(tmp_path, megabytes=24) as disk:
        talkers = move_in(sqlite_in(disk / "data"))
        async with FamichatServer(disk / "data", settings=KEYS, log=tmp_path / "server.log") as server:
            await ride_out(server, talkers, full(disk))


async def test_a_failing_disk_refuses_new_messages_and_loses_none(tmp_path: Path) -> None:
    """A file cannot grow: SQLite reports "disk I/O error", as with a quota or a failing disk."""
    talkers = move_in(sqlite_in(tmp_path / "data"))
    async with FamichatServer(tmp_path / "data", settings=KEYS) as server:
        await ride_out(server, talkers, no_growth(server, tmp_path / "data"))


async def test_users_sign_in_and_refresh_while_the_disk_is_full(tmp_path: Path) -> None:
    with small_disk(tmp_path, megabytes=24) as disk:
        talkers = move_in(sqlite_in(disk / "data"))
        seat = talkers.seats[0]
        async with (
            FamichatServer(disk / "data", settings=KEYS, log=tmp_path / "server.log") as server,
            httpx.AsyncClient(base_url=f"{server.url}/api/v1", timeout=30) as http,
        ):
            before = (await http.post("/sessions", json=SIGN_IN)).raise_for_status().json()
            with full(disk):
                refreshed = await http.post("/sessions/refresh", json={"refresh_token": before["refresh_token"]})
                sessions = [await http.post("/sessions", json=SIGN_IN) for _ in range(5)]
                tokens = [each.json()["access_token"] for each in (refreshed, *sessions)]
                bearers = [{"authorization": f"Bearer {token}"} for token in tokens]
                read = [await http.get("/conversations", headers=each) for each in bearers]
                message = {"body": "x" * 60_000, "client_id": "once"}
                path = f"/conversations/{seat.conv}/messages"
                refused = await http.post(path, json=message, headers=bearers[0])
            sent = await until_stored(http, path, message, bearers[0])
            after = await http.post("/sessions/refresh", json={"refresh_token": refreshed.json()["refresh_token"]})

    assert [each.status_code for each in (refreshed, *sessions)] == [200, *[201] * 5]
    assert {each.status_code for each in read} == {200}
    assert (refused.status_code, sent.status_code, after.status_code) == (503, 201, 200)
    assert len({each.json()["device_id"] for each in (refreshed, *sessions)}) == 6


async def until_stored(
    http: httpx.AsyncClient, path: str, message: dict[str, str], headers: dict[str, str]
) -> httpx.Response:
    """Repeat a message until the server accepts it: it checks the disk once a second, and there is no event for it."""
    async with asyncio.timeout(10):
        while (answer := await http.post(path, json=message, headers=headers)).status_code == 503:  # noqa: ASYNC110
            await asyncio.sleep(0.2)
    return answer


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
