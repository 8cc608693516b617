"""Transactions on both databases: guarantees and failures."""

import asyncio
import threading
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, InternalError
from sqlalchemy.orm import Session

from famichat.chat.records.family import Family
from famichat.storage.base import new_id
from famichat.storage.database import MAX_ATTEMPTS, Database
from famichat.storage.errors import StorageUnavailable
from famichat.telemetry.events import Event, StorageFailed, TransactionRetried


def names(database: Database) -> list[str]:
    query = text("SELECT name FROM families ORDER BY name")
    return database.run_read(lambda session: list(session.execute(query).scalars()))


def test_a_transaction_is_committed_or_rolled_back(database: Database) -> None:
    def fail(session: Session) -> None:
        session.add(Family(name="Half"))
        session.flush()
        raise LookupError("on the way")

    database.run(lambda session: session.add(Family(name="Whole")))
    with pytest.raises(LookupError):
        database.run(fail)

    assert names(database) == ["Whole"]


def test_a_reader_cannot_write(database: Database) -> None:
    database.run(lambda session: session.add(Family(name="Safe")))

    with pytest.raises((StorageUnavailable, InternalError)):
        database.run_read(lambda session: session.execute(text("DELETE FROM families")))

    assert names(database) == ["Safe"]


async def test_the_event_loop_is_free_while_a_transaction_waits(database: Database) -> None:
    waiting, go_on = threading.Event(), threading.Event()

    def work(session: Session) -> str:
        waiting.set()
        assert go_on.wait(5)
        return threading.current_thread().name

    transaction = asyncio.create_task(database.transaction(work))
    await asyncio.to_thread(waiting.wait, 5)
    go_on.set()

    assert (await transaction).startswith("database")


async def test_authentication_does_not_wait_behind_other_reads(database: Database) -> None:
    go_on = threading.Event()
    reads = [asyncio.create_task(database.read(lambda _: go_on.wait(30))) for _ in range(20)]

    try:
        identity = await asyncio.wait_for(database.read_for_authentication(lambda _: "maja"), 10)
    finally:
        go_on.set()
        await asyncio.gather(*reads)

    assert identity == "maja"


def test_a_wrong_statement_is_a_fault_of_ours_and_not_of_the_database(database: Database, emitted: list[Event]) -> None:
    family = Family(id=new_id(), name="Once")
    database.run(lambda session: session.add(family))

    with pytest.raises(IntegrityError):
        database.run(lambda session: session.add(Family(id=family.id, name="Twice")))

    assert [event for event in emitted if isinstance(event, StorageFailed)] == []


def test_a_statement_that_fails_does_not_tell_what_it_was_to_store(database: Database) -> None:
    """The log would contain it: a password hash, for example."""
    family = Family(id=new_id(), name="Once")
    database.run(lambda session: session.add(family))

    with pytest.raises(IntegrityError) as fault:
        database.run(lambda session: session.add(Family(id=family.id, name="canary")))

    assert "canary" not in str(fault.value)


async def test_counting_up_from_many_sides_at_once_loses_nothing(database: Database, emitted: list[Event]) -> None:
    family_id = new_id()
    database.run(lambda session: session.add(Family(id=family_id, name="0")))

    def count_up(session: Session) -> None:
        family = session.get_one(Family, family_id)
        family.name = str(int(family.name) + 1)

    await asyncio.gather(*[database.transaction(count_up) for _ in range(30)])

    assert names(database) == ["30"]
    if database.dialect == "postgresql":
        assert any(isinstance(event, TransactionRetried) for event in emitted)


def test_a_repeatedly_conflicting_transaction_fails_in_the_end(database: Database, emitted: list[Event]) -> None:
    if database.dialect == "sqlite":
        database.run(lambda session: session.add(Family(name="Alone")))
        assert emitted == []  # with one writer there is no race to lose
        return
    raise_it = text("DO $$ BEGIN RAISE EXCEPTION 'again' USING ERRCODE = 'serialization_failure'; END $$")

    with pytest.raises(StorageUnavailable):
        database.run(lambda session: session.execute(raise_it))

    retries = [event.attempt for event in emitted if isinstance(event, TransactionRetried)]
    assert retries == list(range(1, MAX_ATTEMPTS))


def test_a_postgresql_that_is_not_there_is_unavailable_at_once() -> None:
    database = Database("postgresql://famichat@127.0.0.1:1/nothing")

    with pytest.raises(StorageUnavailable):
        database.run_read(lambda session: session.execute(text("SELECT 1")))
    database.close()


def test_a_damaged_sqlite_file_is_reported_and_never_served(
    migrated_sqlite: Path, tmp_path: Path, emitted: list[Event]
) -> None:
    content = bytearray(migrated_sqlite.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    damaged = tmp_path / "damaged.db"
    damaged.write_bytes(content)
    database = Database(f"sqlite:///{damaged}")

    with pytest.raises(StorageUnavailable):
        names(database)
    with pytest.raises(StorageUnavailable):
        database.run(lambda session: session.add(Family(name="Never")))
    database.close()

    assert {event.error_type for event in emitted if isinstance(event, StorageFailed)} == {"DatabaseError"}


def test_an_sqlite_database_without_a_file_is_refused() -> None:
    with pytest.raises(ValueError, match="needs a file"):
        Database("sqlite://")


def test_after_closing_the_sqlite_file_alone_has_every_commit(tmp_path: Path) -> None:
    file = tmp_path / "famichat.db"
    database = Database(f"sqlite:///{file}")
    database.run(lambda session: session.execute(text("CREATE TABLE families (name TEXT)")))
    names(database)

    database.close()

    assert sorted(path.name for path in tmp_path.iterdir()) == [file.name]
