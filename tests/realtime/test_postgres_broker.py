"""The nodes that listen in a PostgreSQL database; `test_broker.py` tests what the client carries."""

import pytest

from famichat.realtime.postgres_broker import PostgresClient, listening_nodes
from tests.support.postgres import Postgres


async def test_the_listening_nodes_of_a_database_are_counted(postgres: Postgres) -> None:
    client = PostgresClient(postgres.url(), "a")
    before = listening_nodes(postgres.url())
    await client.subscribe()
    try:
        assert listening_nodes(postgres.url()) == before + 1
    finally:
        await client.close()


async def test_messages_of_the_maximum_size_fit_into_a_payload(postgres: Postgres) -> None:
    client = PostgresClient(postgres.url(), "b")
    await client.subscribe()
    try:
        await client.publish([b"\xff" * client.max_bytes])
        assert await client.receive(5.0) == [b"\xff" * client.max_bytes]
        assert await client.receive(0.01) == []
    finally:
        await client.close()


def test_a_postgres_that_is_away_is_reported_by_the_name_of_the_error() -> None:
    with pytest.raises(ConnectionError, match="OperationalError"):
        listening_nodes("postgresql://famichat@127.0.0.1:1/famichat")
