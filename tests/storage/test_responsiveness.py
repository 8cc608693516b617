"""Callers wait for a silent database only so long; afterwards one call per second tries it."""

import asyncio
import threading
from collections.abc import Iterator

import pytest

from famichat.storage import responsiveness
from famichat.storage.database import Database
from famichat.storage.database_check import DatabaseCheck
from famichat.storage.errors import StorageUnavailable, StorageUnreachable
from tests.support.postgres import Spare

DEADLINE = 0.3


@pytest.fixture
def database_url(spare_postgres: Spare, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """PostgreSQL, which can be out of reach."""
    monkeypatch.setattr(responsiveness, "DEADLINE_SECONDS", DEADLINE)
    yield spare_postgres.take()
    spare_postgres.give_back()


class Silence:
    """Occupies all threads for reads, as connections that were cut do."""

    def __init__(self, database: Database) -> None:
        self.over = threading.Event()
        self._stuck = [database._readers.submit(self.over.wait, 30) for _ in range(8)]
        self._stuck += [database._authenticators.submit(self.over.wait, 30) for _ in range(2)]


async def test_a_call_that_gets_no_answer_fails_and_is_never_executed(database: Database) -> None:
    silence, executed = Silence(database), threading.Event()

    with pytest.raises(StorageUnavailable):
        await database.read(lambda _: executed.set())
    silence.over.set()
    await asyncio.to_thread(database.close)

    assert not executed.is_set()


async def test_a_silent_database_is_tried_once_a_second_and_works_again_at_the_first_answer(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    silence = Silence(database)
    for _ in range(2):  # the second call is let pass to try again
        with pytest.raises(StorageUnavailable) as waited:
            await database.read(lambda _: None)
        assert not isinstance(waited.value, StorageUnreachable)
    with pytest.raises(StorageUnreachable):
        await database.read(lambda _: None)
    silence.over.set()
    monkeypatch.setattr(database._responsiveness, "_probe_at", 0.0)

    assert await database.read(lambda _: "first") == "first"
    assert await asyncio.gather(*[database.read(lambda _: "again") for _ in range(3)]) == ["again"] * 3


async def test_a_busy_database_that_answers_others_is_waited_for(database: Database) -> None:
    silence = Silence(database)
    waiting = asyncio.create_task(database.read(lambda _: "at last"))
    for _ in range(8):
        await database.on_journal(lambda: None)
        await asyncio.sleep(DEADLINE / 4)
    silence.over.set()

    assert await waiting == "at last"


async def test_the_check_reports_a_silent_database_and_its_return(database: Database) -> None:
    check = DatabaseCheck(database)
    silence = Silence(database)
    await check.once()
    while_silent = check.answers
    silence.over.set()
    await check.once()

    assert (while_silent, check.answers) == (False, True)
