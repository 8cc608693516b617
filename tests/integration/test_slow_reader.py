"""One device stops reading, and the other devices are not affected."""

import asyncio
import re
import statistics
import time
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.history import Attempt, History, check
from tests.support.load import Load
from tests.support.server import FamichatServer
from tests.support.stuck_reader import StuckReader
from tests.support.talkers import KEYS, move_in, sqlite_in

STUCK = 5


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
                closed_after = time.monotonic() - stuck_since
            await load.talk_on(100)
        history = await talkers.history(server.url, load.records)
        await server.stop()  # writes how often warnings were repeated
    quiet, beside = delays(history, before=stuck_since), delays(history, since=stuck_since)
    with capsys.disabled():
        print(  # noqa: T201 - the record asked for
            f"\n{STUCK} stuck readers were closed after {closed_after:.1f} s; "
            f"p95 of delivery {p95(quiet) * 1000:.1f} ms without, {p95(beside) * 1000:.1f} ms beside them"
        )

    assert check(history) == []
    assert load.outcomes["timeout"] == 0
    closed = [line for line in server.log.read_text().splitlines() if "slow_consumer_closed" in line]
    repeated = [re.search(r"repeated=(\d+)", line) for line in closed]
    assert sum(int(each[1]) if each else 1 for each in repeated) == STUCK
    assert p95(beside) < 3 * p95(quiet) + 0.05


def delays(history: History, *, since: float = 0.0, before: float = float("inf")) -> list[float]:
    """Return the delivery times of the messages of a period, for each device."""
    sent = {(a.conv, a.user, a.client_id): a.t_invoke for a in history.attempts if is_within(a, since, before)}
    keyed = ((r.t, (r.conv, r.entry.author, r.entry.client_id)) for r in history.received)
    return [t - sent[key] for t, key in keyed if key in sent]


def is_within(attempt: Attempt, since: float, before: float) -> bool:
    return attempt.acked and since <= attempt.t_invoke < before


def p95(seconds: Iterable[float]) -> float:
    return statistics.quantiles(seconds, n=20)[-1]
