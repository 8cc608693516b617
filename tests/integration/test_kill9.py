"""The server is killed repeatedly under load, and no acknowledged message is lost."""

import asyncio
import random
import statistics
from pathlib import Path

import pytest

from tests.support.effort import repetitions
from tests.support.history import check
from tests.support.load import Load
from tests.support.server import FamichatServer
from tests.support.talkers import KEYS, move_in

ROUNDS = repetitions(8, long=100)


@pytest.mark.timeout(repetitions(180, long=1800))
async def test_nothing_acknowledged_is_lost_over_many_kills(
    tmp_path: Path, database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    moments = random.Random(9)  # noqa: S311 - the same storm each time
    starts: list[float] = []
    talkers = move_in(database_url)
    async with FamichatServer(tmp_path / "data", database_url=database_url, settings=KEYS) as server:
        load = Load(server.socket_url, talkers.seats, strangers=talkers.strangers)
        async with load:
            for _ in range(ROUNDS):
                await load.talk_on()
                await asyncio.sleep(moments.uniform(0.05, 0.4))
                server.kill()
                starts.append(await server.start())
        history = await talkers.history(server.url, load.records)
    with capsys.disabled():
        print(f"\n{ROUNDS} kills: {dict(load.outcomes)}, ready again after {statistics.median(starts):.2f} s")  # noqa: T201 - the record

    assert check(history) == []
    assert load.gaps == 0
    assert load.outcomes["acked"] > 10 * ROUNDS
    assert load.outcomes["timeout"] > 0, "no kill cut anybody off: the load was too light to prove anything"
