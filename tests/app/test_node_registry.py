"""Each node reports to the database, and knows how many drain, and whether only it receives no broker messages."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

from famichat.app import node_registry
from famichat.app.lifecycle import Lifecycle
from famichat.app.node_registry import ISOLATED_ROUNDS, NodeRegistry
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


def node_of(database: Database, hearing: Callable[[], bool] = lambda: True) -> NodeRegistry:
    return NodeRegistry(database, hearing, lambda: 0)


async def test_a_node_is_isolated_if_it_alone_hears_nothing_for_a_while(database: Database) -> None:
    hears = {"one": False, "other": False}
    one, other = (node_of(database, partial(hears.__getitem__, name)) for name in hears)

    async def rounds(count: int) -> tuple[bool, bool]:
        for _ in range(count):
            await other.refresh()
            await one.refresh()
        return one.is_isolated, other.is_isolated

    both_deaf = await rounds(ISOLATED_ROUNDS)
    hears["other"] = True
    one_deaf = await rounds(1)
    hears["one"] = True
    both_hear = one.is_isolated, other.is_isolated
    await rounds(1)
    hears["one"] = False
    only_a_moment = await rounds(ISOLATED_ROUNDS - 1)
    at_last = await rounds(1)

    assert (both_deaf, one_deaf, both_hear) == ((False, False), (True, False), (False, False))
    assert (only_a_moment, at_last) == ((False, False), (True, False))


async def test_on_sqlite_a_node_records_nothing(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'empty.db'}")
    async with Lifecycle() as lifecycle:
        node = node_of(database)
        await node.start(lifecycle)
        await node.drain()
    database.close()

    assert (node.draining_nodes, node.is_isolated) == (1, False)


async def test_nodes_that_drain_together_know_of_each_other(database: Database) -> None:
    one, other = node_of(database), node_of(database)
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
    node, reports = node_of(database), asyncio.Semaphore(0)
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
    node = node_of(database)

    await node.drain()
    await node.stop()
    database.close()

    assert node.draining_nodes == 1
