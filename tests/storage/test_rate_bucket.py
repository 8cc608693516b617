"""Token buckets in the database: taken together or not at all, by several nodes concurrently."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import func, select, text, update
from sqlalchemy.orm import Session

from famichat.storage.base import now
from famichat.storage.database import Database
from famichat.storage.rate_bucket import Bucket, BucketEmpty, RateBucket, forget_full_buckets, take_tokens
from tests.support.postgres import Spare

ONE, OTHER = Bucket(b"one", burst=5, per_second=0.1), Bucket(b"other", burst=50, per_second=0.1)


@pytest.fixture
def nodes(spare_postgres: Spare) -> Iterator[list[Database]]:
    """Two nodes with one PostgreSQL."""
    url = spare_postgres.take()
    opened = [Database(url), Database(url)]
    yield opened
    for database in opened:
        database.close()
    spare_postgres.give_back()


async def take(database: Database, *buckets: Bucket) -> float:
    """Take a token from each; return the seconds to wait."""

    def work(session: Session) -> None:
        take_tokens(session, buckets, 1.0)

    try:
        await database.transaction(work)
    except BucketEmpty as empty:
        return empty.retry_in_seconds
    return 0.0


async def test_nodes_at_once_take_no_more_than_the_bucket_holds(nodes: list[Database]) -> None:
    waits = await asyncio.gather(*[take(nodes[number % 2], ONE) for number in range(20)])

    assert sorted(waits)[:5] == [0.0] * 5
    assert all(9 < wait <= 10 for wait in sorted(waits)[5:])


async def test_a_refused_request_takes_nothing_from_any_bucket(nodes: list[Database]) -> None:
    for _ in range(5):
        await take(nodes[0], ONE)
    assert await take(nodes[0], OTHER, ONE) > 0

    tokens = select(func.count()).select_from(RateBucket).where(RateBucket.key == OTHER.key)
    assert nodes[0].run_read(lambda session: session.execute(tokens).scalar_one()) == 0


async def test_a_bucket_fills_with_time_and_is_forgotten_when_it_is_full(nodes: list[Database]) -> None:
    for _ in range(5):
        await take(nodes[0], ONE)
    past = update(RateBucket).values(updated_at=now() - timedelta(seconds=10))
    await nodes[0].transaction(lambda session: session.execute(past))
    assert [await take(nodes[0], ONE) > 0 for _ in range(2)] == [False, True]

    long_ago = update(RateBucket).values(updated_at=now() - timedelta(hours=2))
    await nodes[0].transaction(lambda session: session.execute(long_ago))
    await nodes[0].transaction(forget_full_buckets)
    assert nodes[0].run_read(lambda session: session.execute(select(func.count(RateBucket.key))).scalar_one()) == 0


def test_the_table_costs_no_disk_sync(nodes: list[Database]) -> None:
    query = text("SELECT relpersistence FROM pg_class WHERE relname = 'rate_buckets'")

    assert nodes[0].run_read(lambda session: session.execute(query).scalar_one()) == "u"
