"""PostgreSQL is unavailable for a while under load: clients get errors at once, and the server recovers."""

import asyncio
from pathlib import Path

import pytest

from tests.support.history import check
from tests.support.load import Load
from tests.support.lossy_proxy import LossyProxy
from tests.support.postgres import Postgres, running_postgres
from tests.support.server import FamichatServer
from tests.support.talkers import KEYS, move_in

AWAY_SECONDS = 6.0
LOST_ANSWERS = 5


@pytest.mark.timeout(120)
async def test_a_lost_database_is_reported_and_the_server_recovers(tmp_path: Path) -> None:
    with running_postgres() as postgres:
        database_url = postgres.create("famichat")
        talkers = move_in(database_url)
        async with FamichatServer(tmp_path / "data", database_url=database_url, settings=KEYS) as server:
            load = Load(server.socket_url, talkers.seats)
            async with load:
                await load.talk_on()
                await asyncio.to_thread(postgres.stop, "immediate")
                await asyncio.sleep(AWAY_SECONDS)
                reported = load.outcomes["unavailable"]
                answer = await talkers.try_to_read(server.url)
                await asyncio.to_thread(postgres.start)
                await load.talk_on(patience=10)
            history = await talkers.history(server.url, load.records)

    assert check(history) == []
    assert reported > 0, "no sender was told that its message cannot be stored"
    assert set(load.outcomes) == {"acked", "unavailable"}
    assert max(wait for chatter in load.chatters for wait in chatter.waits) < 5
    assert answer.status_code == 503
    assert answer.json()["code"] == "unavailable"
    assert answer.elapsed.total_seconds() < 5


@pytest.mark.timeout(120)
async def test_a_commit_whose_reply_is_lost_is_stored_once_and_reaches_all_members(
    postgres: Postgres, tmp_path: Path
) -> None:
    """The server looks the messages of the lost commit up and acknowledges them, or their senders retry."""
    database_url = postgres.create("lost_answers")
    talkers = move_in(database_url)
    async with LossyProxy(postgres.port) as proxy:
        proxied = database_url.replace(str(postgres.port), str(proxy.port))
        async with FamichatServer(tmp_path / "data", database_url=proxied, settings=KEYS) as server:
            load = Load(server.socket_url, talkers.seats)
            async with load:
                for _ in range(LOST_ANSWERS):
                    await load.talk_on()
                    proxy.lose_an_answer()
                    await asyncio.wait_for(proxy.lost.wait(), 10)
            history = await talkers.history(server.url, load.records)
    postgres.drop("lost_answers")

    assert check(history) == []
    assert set(load.outcomes) <= {"acked", "unavailable"}
