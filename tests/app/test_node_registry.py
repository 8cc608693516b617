"""Each node reports to the database, and knows how many drain."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress

import pytest

from famichat.app import node_registry
from famichat.app.node_registry import NodeRegistry
from famichat.storage.database import Database
from famichat.storage.node import are_running
from tests.support.postgres import Spare


@pytest.fixture
def database(spare_postgres: Spare) -> Iterator[Database]:
    """PostgreSQL: on SQLite there is one node."""
    opened = Database(spare_postgres.take())
    yield opened
    opened.close()
    spare_postgres.give_back()


async def test_nodes_that_drain_together_know_of_each_other(database: Database) -> None:
    one, other = NodeRegistry(database, lambda: 0), NodeRegistry(database, lambda: 0)
    for node in (one, other):
        await node.refresh()

    await one.drain()
    alone = one.draining_nodes
    await other.drain()
    await one.refresh()
    together = (one.draining_nodes, other.draining_nodes)
    await other.stop()
    await one.refresh()
    last = one.draining_nodes
    await one.stop()

    assert (alone, together, last) == (1, (2, 2), 1)
    assert not database.run_read(lambda session: are_running(session.connection()))


async def test_a_node_reports_until_it_is_stopped(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node_registry, "REFRESH_SECONDS", 0)
    node, reports = NodeRegistry(database, lambda: 0), asyncio.Semaphore(0)
    refresh = node.refresh

    async def counted() -> None:
        await refresh()
        reports.release()

    monkeypatch.setattr(node, "refresh", counted)
    reporting = asyncio.create_task(node.run())
    for _ in range(2):
        await asyncio.wait_for(reports.acquire(), 5)
    reporting.cancel()
    with suppress(asyncio.CancelledError):
        await reporting
    await node.stop()

    assert not database.run_read(lambda session: are_running(session.connection()))


async def test_a_node_stops_although_the_database_does_not_answer() -> None:
    database = Database("postgresql://famichat@127.0.0.1:1/nothing")
    node = NodeRegistry(database, lambda: 0)

    await node.drain()
    await node.stop()
    database.close()

    assert node.draining_nodes == 1
