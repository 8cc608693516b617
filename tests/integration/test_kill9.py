"""The server is killed repeatedly under load, and no acknowledged message is lost."""

import asyncio
import random
import statistics
from pathlib import Path

import pytest

from tests.support.channel_client import ChannelClient
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


async def test_acknowledged_positions_survive_a_kill_while_others_are_written(
    tmp_path: Path, database_url: str
) -> None:
    talkers = move_in(database_url)
    seat = talkers.seats[0]
    async with FamichatServer(tmp_path / "data", database_url=database_url, settings=KEYS) as server:
        address = server.socket_url.removesuffix("/websocket")
        async with ChannelClient.connect(address, seat.token) as client:
            await client.join(seat.topic)
            sent = [await client.push(seat.topic, "new_msg", {"body": "hej"}) for _ in range(40)]
            await client.assert_reply(sent[-1])
            refs = {
                await client.push(seat.topic, "message_ack", {"seq": seq, "status": status}): (seq, status)
                for seq in range(1, 41)
                for status in ("delivered", "read")
            }
            await client.assert_reply(next(iter(refs)))
            server.kill()
            await client.websocket.wait_closed()
            replied = [refs[str(frame.ref)] for frame in client.received if str(frame.ref) in refs]
        await server.start()
        async with ChannelClient.connect(address, seat.token) as client:
            [receipt] = (await client.join(seat.topic))["receipts"]

    assert receipt["delivered_seq"] >= max(seq for seq, _ in replied)
    assert receipt["read_seq"] >= max((seq for seq, status in replied if status == "read"), default=0)
