"""The bugs with which the history checker was verified are also detected in the real server.

The sixth, "sync off", is detected only by a power cut: see `test_power_cut.py`.
"""

from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.history import check
from tests.support.load import Load
from tests.support.model_server import Bug
from tests.support.server import FamichatServer
from tests.support.talkers import KEYS, move_in, sqlite_in

CAUGHT_AS = {
    Bug.ACK_BEFORE_COMMIT: "acked_lost",
    Bug.NO_ID_CHECK: "stored_twice",
    Bug.BROKER_ONLY: "stream",
    Bug.SEQ_FROM_CLOCK: "hole",
    Bug.RESUME_OFF_BY_ONE: "stream",
}


@pytest.mark.parametrize("bug", CAUGHT_AS)
async def test_a_planted_bug_is_caught(bug: Bug, tmp_path: Path) -> None:
    talkers = move_in(sqlite_in(tmp_path / "data"))
    program = ("tests.support.sabotaged", bug)
    async with FamichatServer(tmp_path / "data", settings=KEYS, program=program) as server:
        load = Load(server.socket_url, talkers.seats, patience=3)
        async with load:
            for _ in range(3):
                await talk(load)
                load.lose_connections()
                await talk(load)
                server.kill()
                await server.start()
        history = await talkers.history(server.url, load.records)

    assert CAUGHT_AS[bug] in {violation.name for violation in check(history)}


async def talk(load: Load) -> None:
    """Let the clients talk for a while. A bug can stop their talk; the history must show it anyway."""
    with suppress(TimeoutError):
        await load.talk_on(patience=3)
