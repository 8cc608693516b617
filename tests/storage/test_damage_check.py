"""The daily check of a running server reports damage, and does not delay the stop of the server."""

import asyncio
import shutil
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from famichat.storage import damage_check
from famichat.storage.damage_check import DamageCheck
from famichat.storage.database import Database
from famichat.storage.integrity import RowScan
from famichat.telemetry.events import DatabaseDamaged, Event
from tests.factories.people import Household
from tests.factories.talk import direct_of, say


@pytest.fixture
def database_url(migrated_sqlite: Path, tmp_path: Path) -> str:
    """Only SQLite is checked."""
    return f"sqlite:///{shutil.copy(migrated_sqlite, tmp_path / 'famichat.db')}"


@pytest.fixture
def check(database: Database, household: Household) -> DamageCheck:
    """The check of a database with one message."""
    database.run(lambda session: say(session, direct_of(session, household), household.maja, "hej"))
    assert database.file
    return DamageCheck(database, database.file)


def reported(emitted: list[Event]) -> list[DatabaseDamaged]:
    return [event for event in emitted if isinstance(event, DatabaseDamaged)]


async def test_nothing_is_reported_about_an_intact_database(check: DamageCheck, emitted: list[Event]) -> None:
    await check.once()

    assert (check.places, reported(emitted)) == (0, [])


async def test_damaged_rows_and_broken_references_are_reported(
    database: Database, check: DamageCheck, emitted: list[Event]
) -> None:
    database.run(lambda session: session.execute(text("UPDATE messages SET message_type = 'uext'")))
    await check.once()
    with closing(sqlite3.connect(str(database.file))) as unchecked:
        unchecked.execute("DELETE FROM conversations")
        unchecked.commit()
    await check.once()

    row, reference = reported(emitted)
    assert (row.places, row.first.partition(" ")[0]) == (1, "messages")
    assert (reference.places, check.places) == (2, 2)
    assert reference.first.endswith("refers to a missing row of conversations")


async def test_each_page_is_a_transaction_of_its_own_so_that_the_wal_stays_short(
    database: Database, check: DamageCheck, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages: list[list[str]] = []

    def page(self: RowScan, session: Session) -> list[str]:
        pages.append(read_page(self, session))
        return pages[-1]

    async def write_in_the_pause(seconds: float) -> None:
        assert seconds > 0
        database.run(lambda session: session.execute(text("UPDATE messages SET seq = seq")))
        with closing(sqlite3.connect(str(database.file))) as unchecked:
            is_busy, *_ = unchecked.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        assert not is_busy

    read_page = RowScan.page
    monkeypatch.setattr(RowScan, "page", page)
    monkeypatch.setattr(asyncio, "sleep", write_in_the_pause)
    await check.once()

    assert len(pages) > 5


async def test_the_check_does_not_delay_the_stop_of_the_server(
    database: Database, check: DamageCheck, monkeypatch: pytest.MonkeyPatch
) -> None:
    began = threading.Event()

    def page(self: RowScan, session: Session) -> list[str]:
        began.set()
        return read_page(self, session)

    read_page = RowScan.page
    monkeypatch.setattr(RowScan, "page", page)
    monkeypatch.setattr(damage_check, "FIRST_SECONDS", 0.0)
    monkeypatch.setattr(damage_check, "_PAUSES", 1e9)
    task = asyncio.create_task(check.run())
    assert await asyncio.to_thread(began.wait, 10)
    task.cancel()

    async with asyncio.timeout(10):
        await asyncio.wait({task})
        await asyncio.to_thread(database.close)
