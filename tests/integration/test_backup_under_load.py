"""A backup taken under load contains every message acknowledged before it, and reports that on restore."""

from pathlib import Path
from typing import Any

import pytest

from tests.support.channel_client import ChannelClient
from tests.support.history import Attempt
from tests.support.load import Load
from tests.support.operator import Operator
from tests.support.postgres import Postgres
from tests.support.program import famichat
from tests.support.server import FamichatServer
from tests.support.talkers import KEYS, Talkers, move_in


@pytest.mark.timeout(120)
async def test_messages_acknowledged_before_a_backup_exist_after_the_restore(
    tmp_path: Path, database_url: str, request: pytest.FixtureRequest
) -> None:
    talkers, file = move_in(database_url), tmp_path / "backup.tar"
    async with FamichatServer(tmp_path / "data", database_url=database_url, settings=KEYS) as server:
        load = Load(server.socket_url, talkers.seats)
        async with load:
            await load.talk_on()
            acked = {(each.conv, each.outcome) for each in load.records if isinstance(each, Attempt) and each.acked}
            keys = {name.lower(): value for name, value in KEYS.items()}
            taken = famichat("backup", file, data_dir=tmp_path / "data", database_url=database_url, **keys)
            await load.talk_on()
        epoch, head = await place(server, talkers)

    elsewhere = request.getfixturevalue("postgres") if database_url.startswith("postgresql") else None
    async with restored(tmp_path / "other", file, elsewhere) as after:
        found = {(conv, entry.seq) for conv, entries in (await read(talkers, after)).items() for entry in entries}
        heads = {conv: max(seq for each, seq in found if each == conv) for conv, _ in found}
        rejoined = await join(after, talkers, {"epoch": epoch, "last_seq": head})

    assert taken.returncode == 0, taken.stderr
    assert acked
    assert acked <= found
    assert found == {(conv, seq) for conv, last in heads.items() for seq in range(1, last + 1)}, "there is a gap"
    assert rejoined["recovered"] is False
    assert rejoined["epoch"] != epoch
    assert rejoined["messages"][0]["seq"] == 1


def restored(data_dir: Path, file: Path, elsewhere: Postgres | None) -> FamichatServer:
    """A server on the restored data, with the keys from the backup."""
    url = elsewhere.create("restored") if elsewhere else ""
    Operator(data_dir, url)("restore", str(file))
    return FamichatServer(data_dir, database_url=url)


async def read(talkers: Talkers, server: FamichatServer) -> dict[str, Any]:
    whose = {seat.conv: seat.user for seat in talkers.seats}
    return {conv: (await talkers.read(server.url, conv, user)).entries for conv, user in whose.items()}


async def place(server: FamichatServer, talkers: Talkers) -> tuple[str, int]:
    joined = await join(server, talkers, {})
    return joined["epoch"], joined["last_seq"]


async def join(server: FamichatServer, talkers: Talkers, params: dict[str, Any]) -> Any:
    seat = talkers.seats[0]
    async with ChannelClient.connect(f"{server.url}/socket", token=seat.token) as client:
        return await client.join(seat.topic, params)
