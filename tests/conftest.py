"""Fixtures of all tests: a fresh migrated database of each kind per test, and the emitted telemetry."""

import os
import shutil
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from famichat.app.realtime_telemetry import forward_realtime_events
from famichat.storage.database import Database
from famichat.storage.migrate import upgrade
from famichat.telemetry import attach
from famichat.telemetry.events import Event
from tests.factories import people
from tests.support import effort, line_selection
from tests.support.app import Inhabited, RunningApp, move_in, running_app
from tests.support.clock import Clock
from tests.support.leaks import watched
from tests.support.postgres import Postgres, Spare, running_postgres
from tests.support.tracing import untraced


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="repeat the tests of chance many times; takes an hour")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--long"):
        os.environ[effort.LONG_RUN] = "yes"
    line_selection.select(config)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    line_selection.deselect(config, items)


@pytest.fixture(scope="session", autouse=True)
def leaks() -> Iterator[list[str]]:
    """Watch the whole run, its fixtures included."""
    with watched() as leaks:
        yield leaks
    assert leaks == []


@pytest.fixture(autouse=True)
def nothing_leaks(leaks: list[str]) -> Iterator[None]:
    """Fail the test during which a log record or an event contained a secret."""
    yield
    leaked = leaks.copy()
    leaks.clear()
    assert leaked == []


@pytest.fixture(scope="session", autouse=True)
def forwarded_realtime_events() -> Iterator[None]:
    """Forward the events of `realtime` to telemetry, as `famichat.app.server.run` does once per process."""
    stop = forward_realtime_events()
    yield
    stop()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with running_postgres() as cluster:
        yield cluster


@pytest.fixture(scope="session")
def migrated_postgres(postgres: Postgres) -> str:
    """The name of a migrated database to copy from."""
    database = Database(postgres.create("famichat_template"))
    upgrade(database)
    database.close()
    return "famichat_template"


@pytest.fixture(scope="session")
def spare_postgres(postgres: Postgres, migrated_postgres: str) -> Spare:
    """A migrated database that one test after another may have."""
    return Spare(postgres, migrated_postgres)


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated file to copy."""
    path = tmp_path_factory.mktemp("template") / "famichat.db"
    database = Database(f"sqlite:///{path}")
    upgrade(database)
    database.close()
    return path


@pytest.fixture(scope="session")
def inhabited_sqlite(migrated_sqlite: Path, tmp_path_factory: pytest.TempPathFactory) -> Inhabited:
    """A file with the household to copy, because moving in takes longer than most tests."""
    path = Path(shutil.copy(migrated_sqlite, tmp_path_factory.mktemp("inhabited") / "famichat.db"))
    database = Database(f"sqlite:///{path}")
    home, talks = database.run(move_in)
    database.close()
    return Inhabited(path, home, talks)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, migrated_sqlite: Path, tmp_path: Path) -> Iterator[str]:
    """The address of a fresh, migrated database: every test that asks for it runs on both kinds.

    For `app`, the household has moved in on SQLite.
    """
    if request.param == "sqlite":
        path = tmp_path / "famichat.db"
        is_inhabited = "app" in request.fixturenames
        original = request.getfixturevalue("inhabited_sqlite").path if is_inhabited else migrated_sqlite
        shutil.copy(original, path)
        yield f"sqlite:///{path}"
        return
    spare: Spare = request.getfixturevalue("spare_postgres")
    with untraced():  # the same test traces these lines on SQLite; tracing doubles the cost of a test
        yield spare.take()
    spare.give_back()


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    opened = Database(database_url)
    yield opened
    opened.close()


@pytest.fixture
def household(database: Database) -> people.Household:
    """The Sundqvists and Ada, moved in."""
    return database.run(people.household)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The wall clock of this process, which the test moves. Timeouts use the monotonic clock, which goes on."""
    shifted = Clock()
    monkeypatch.setattr(time, "time", shifted)
    return shifted


@pytest.fixture
def emitted() -> Iterator[list[Event]]:
    """Every telemetry event since the test began."""
    events: list[Event] = []
    detach = attach(events.append)
    yield events
    detach()


@pytest.fixture
async def app(database_url: str, inhabited_sqlite: Inhabited, tmp_path: Path) -> AsyncIterator[RunningApp]:
    """The whole application with the household in it, on each kind of database."""
    on_sqlite = database_url.startswith("sqlite")
    async with running_app(database_url, tmp_path, inhabited_sqlite if on_sqlite else None) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared_app(migrated_sqlite: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningApp]:
    """As `app`, but one for all tests of a module, on SQLite.

    For tests that leave it as they found it, and are marked `pytest.mark.asyncio(loop_scope="module")`.
    """
    folder = tmp_path_factory.mktemp("shared_app")
    shutil.copy(migrated_sqlite, folder / "famichat.db")
    async with running_app(f"sqlite:///{folder / 'famichat.db'}", folder) as running:
        yield running
