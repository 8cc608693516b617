"""Which nodes are running, as the database knows."""

from collections.abc import Iterator

import pytest
from sqlalchemy import text

from famichat.storage.base import new_id
from famichat.storage.database import Database
from famichat.storage.node import Nodes, are_running, forget, refresh, running_nodes
from tests.support.postgres import Spare


@pytest.fixture
def database(spare_postgres: Spare) -> Iterator[Database]:
    """PostgreSQL: on SQLite there is one node."""
    opened = Database(spare_postgres.take())
    yield opened
    opened.close()
    spare_postgres.give_back()


def report(database: Database, node: str, *, draining: bool = False, hearing: bool = True) -> Nodes:
    return database.run(
        lambda session: refresh(session, node, "1.0.0", draining=draining, hearing=hearing, misrouted_polls=3)
    )


def running(database: Database) -> bool:
    return database.run_read(lambda session: are_running(session.connection()))


def test_the_nodes_that_drain_and_those_that_hear_are_counted(database: Database) -> None:
    one, other, third = new_id(), new_id(), new_id()

    counts = [
        report(database, one),
        report(database, other, draining=True),
        report(database, third, draining=True, hearing=False),
    ]
    database.run(lambda session: forget(session, third))

    assert counts == [(0, 1), (1, 2), (2, 2)]
    assert report(database, one, draining=True) == (2, 2)


def test_a_node_is_running_until_it_stops_or_no_longer_reports(database: Database) -> None:
    stopped, killed = new_id(), new_id()
    none_yet = running(database)
    report(database, stopped)
    report(database, killed, draining=True)
    both = running(database)
    known = database.run_read(
        lambda session: {(each.id, each.release, each.misrouted_polls) for each in running_nodes(session)}
    )
    database.run(lambda session: forget(session, stopped))
    one = running(database)
    database.run(lambda session: session.execute(text("UPDATE nodes SET seen_at = seen_at - interval '11 seconds'")))

    assert known == {(stopped, "1.0.0", 3), (killed, "1.0.0", 3)}
    assert (none_yet, both, one, running(database)) == (False, True, True, False)
    assert report(database, stopped) == (0, 1), "the other one is forgotten"
