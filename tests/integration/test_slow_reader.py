"""One device stops reading, and the other devices are not affected."""

import asyncio
import re
import time
from bisect import bisect_left
from collections import defaultdict
from contextlib import ExitStack
from dataclasses import replace
from itertools import accumulate
from pathlib import Path

import pytest

from tests.support.history import History, check
from tests.support.load import Load
from tests.support.server import FamichatServer
from tests.support.stuck_reader import StuckReader
from tests.support.talkers import KEYS, move_in, sqlite_in

STUCK = 5
BEHIND = 40  # messages; a busy machine reaches 7, and about 500 are sent before the readers are closed


@pytest.mark.timeout(120)
async def test_stuck_readers_are_closed_and_other_clients_do_not_wait(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    talkers = move_in(sqlite_in(tmp_path / "data"))
    async with FamichatServer(tmp_path / "data", settings=KEYS) as server:
        load = Load(server.socket_url, talkers.seats, pace=0.05, size=30_000)
        async with load:
            await load.talk_on(100)
            stuck_since = time.monotonic()
            with ExitStack() as stack:
                seat, after = talkers.seats[0], load.chatters[0].reached
                readers = [stack.enter_context(StuckReader(server.socket_url, seat, after)) for _ in range(STUCK)]
                await asyncio.sleep(0.1)
                assert not any(reader.is_cut for reader in readers)
                assert await load.wait_until(lambda: all(reader.is_cut for reader in readers)), "never closed"
                closed_at = time.monotonic()
            await load.talk_on(100)
        there = replace(talkers, seats=tuple(each for each in talkers.seats if each.conv == seat.conv))
        history = await there.history(server.url, [each for each in load.records if each.conv == seat.conv])
        await server.stop()  # writes how often warnings were repeated
    behind = lags(history, seat.conv, stuck_since, closed_at)
    with capsys.disabled():
        print(  # noqa: T201 - the record asked for
            f"\n{STUCK} stuck readers were closed after {closed_at - stuck_since:.1f} s; "
            f"until then, other devices received {min(map(len, behind.values()))} messages each "
            f"and were at most {max(map(max, behind.values()))} behind"
        )

    assert check(history) == []
    assert load.outcomes["timeout"] == 0
    closed = [line for line in server.log.read_text().splitlines() if "slow_consumer_closed" in line]
    repeated = [re.search(r"repeated=(\d+)", line) for line in closed]
    assert sum(int(each[1]) if each else 1 for each in repeated) == STUCK
    assert behind.keys() == {seat.device for seat in talkers.seats if seat.conv == load.chatters[0].seat.conv}
    assert max(map(max, behind.values())) < BEHIND


def lags(history: History, conv: str, since: float, until: float) -> dict[str, list[int]]:
    """Count, for each message that a device receives, the later messages that were acknowledged before it arrived."""
    acked = sorted(
        (each.t_ok, each.outcome)
        for each in history.attempts
        if each.conv == conv and each.t_ok is not None and isinstance(each.outcome, int)
    )
    times = [t for t, _ in acked]
    heads = list(accumulate((seq for _, seq in acked), max, initial=0))
    found = defaultdict(list)
    for each in history.received:
        if each.conv == conv and since <= each.t < until:
            found[each.device].append(max(0, heads[bisect_left(times, each.t)] - each.entry.seq))
    return found
