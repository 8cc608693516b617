"""All connections break repeatedly under load, as on a train."""

import asyncio
from pathlib import Path

from tests.support.history import check
from tests.support.load import Load
from tests.support.server import FamichatServer
from tests.support.talkers import KEYS, move_in

BREAKS = 40


async def test_a_reconnected_client_misses_nothing_and_receives_nothing_twice(
    tmp_path: Path, database_url: str
) -> None:
    """Clients rejoin between commits: messages in the join reply must not be pushed again."""
    talkers = move_in(database_url)
    async with FamichatServer(tmp_path / "data", database_url=database_url, settings=KEYS) as server:
        load = Load(server.socket_url, talkers.seats, pace=0.01)
        async with load:
            for _ in range(BREAKS):
                await load.talk_on(10)
                load.lose_connections()
                await asyncio.sleep(0.05)
        history = await talkers.history(server.url, load.records)

    assert check(history) == []
    assert load.gaps == 0
    assert load.outcomes["timeout"] > 0
