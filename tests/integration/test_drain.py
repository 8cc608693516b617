"""A graceful shutdown under load: clients are disconnected, reconnect, and lose no messages."""

import time
from collections import Counter
from pathlib import Path

from tests.support.history import check
from tests.support.load import Load
from tests.support.server import FamichatServer
from tests.support.talkers import KEYS, move_in

STOPS = 5


async def test_a_server_that_is_stopped_disconnects_all_clients_and_loses_nothing(
    tmp_path: Path, database_url: str
) -> None:
    talkers = move_in(database_url)
    codes, seconds, sent_away = set[int](), list[float](), Counter[int | None]()
    async with FamichatServer(tmp_path / "data", database_url=database_url, settings=KEYS) as server:
        load = Load(server.socket_url, talkers.seats)
        async with load:
            for _ in range(STOPS):
                await load.talk_on()
                began = time.monotonic()
                codes.add(await server.stop())
                seconds.append(time.monotonic() - began)
                sent_away = load.closings
                await server.start()
        history = await talkers.history(server.url, load.records)

    assert check(history) == []
    assert codes == {0}
    assert set(sent_away) == {1012}
    assert max(seconds) < 10
