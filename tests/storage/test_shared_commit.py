"""Batches of different queues in one transaction."""

import asyncio
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import text

from famichat.storage.base import new_id
from famichat.storage.database import Database
from famichat.storage.errors import StorageUnavailable

Write = Callable[[Any], str]


def add(database: Database, name: str) -> Write:
    insert = "INSERT INTO families (id, name, created_at, updated_at) VALUES (?, ?, ?, ?)"
    time = "2026-01-01 00:00:00.000000"

    def write(cursor: Any) -> str:
        statement = insert if database.dialect == "sqlite" else insert.replace("?", "%s")
        cursor.execute(statement, (new_id(), name, time, time))
        return name

    return write


def names(database: Database) -> list[str]:
    query = text("SELECT name FROM families ORDER BY name")
    return database.run_read(lambda session: list(session.execute(query).scalars()))


@pytest.fixture
def transactions(database: Database, monkeypatch: pytest.MonkeyPatch) -> list[Collection[str]]:
    """The conversations that each transaction of the journal locks at its start."""
    seen: list[Collection[str]] = []
    transaction = database.journal_transaction

    @contextmanager
    def counted(lock: Collection[str] = ()) -> Iterator[Any]:
        seen.append(lock)
        with transaction(lock) as cursor:
            yield cursor

    monkeypatch.setattr(database, "journal_transaction", counted)
    return seen


async def run(database: Database, *writes: Write, lock: Collection[str] = ()) -> list[Any]:
    commit = database.shared_commit
    return await asyncio.gather(*(commit.run("test", write, lock) for write in writes), return_exceptions=True)


async def test_batches_that_wait_at_the_same_time_share_a_transaction_that_locks_in_one_order(
    database: Database, transactions: list[Collection[str]]
) -> None:
    first, second = sorted((new_id(), new_id()))
    commit = database.shared_commit

    results = await asyncio.gather(
        commit.run("messages", add(database, "A"), [second]), commit.run("receipts", add(database, "B"), [first])
    )

    assert list(results) == names(database) == ["A", "B"]
    assert transactions == [[first, second]]


async def test_a_queue_whose_batch_is_done_shares_the_next_transaction(
    database: Database, transactions: list[Collection[str]]
) -> None:
    async def queue(prefix: str) -> None:
        for number in range(3):
            await database.shared_commit.run("test", add(database, f"{prefix}{number}"), ())

    await asyncio.gather(queue("A"), queue("B"))

    assert names(database) == ["A0", "A1", "A2", "B0", "B1", "B2"]
    assert len(transactions) == 3


@pytest.mark.parametrize("refused", [True, False])
async def test_a_batch_that_fails_does_not_fail_the_batch_that_shares_its_transaction(
    database: Database, *, refused: bool
) -> None:
    def fail(cursor: Any) -> str:
        if not refused:
            raise LookupError
        cursor.execute("INSERT INTO families (id) SELECT NULL")
        return ""

    failed, stored = await run(database, fail, add(database, "B"))

    assert isinstance(failed, StorageUnavailable if refused else LookupError)
    assert stored == "B"
    assert names(database) == ["B"]


async def test_a_lost_commit_fails_every_batch_so_that_each_queue_looks_for_its_own(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    transaction = database.journal_transaction
    calls: list[int] = []

    @contextmanager
    def lost(lock: Collection[str] = ()) -> Iterator[Any]:
        with transaction(lock) as cursor:
            yield cursor
        calls.append(1)
        raise StorageUnavailable("journal")

    monkeypatch.setattr(database, "journal_transaction", lost)
    results = await run(database, add(database, "A"), add(database, "B"))

    assert [type(each) for each in results] == [StorageUnavailable, StorageUnavailable]
    assert names(database) == ["A", "B"]
    assert calls == [1], "neither was written twice"
