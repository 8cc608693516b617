"""All clients of a server reconnect in the same moment, as after its restart."""

import asyncio
from pathlib import Path

from sqlalchemy.orm import Session
from websockets.exceptions import InvalidStatus

from famichat.accounts.device import add_device
from famichat.accounts.sign_in.token import Tokens
from famichat.chat.conversations.create import create_family_conversation
from famichat.storage.database import Database
from famichat.storage.migrate import upgrade
from tests.factories import people
from tests.support.channel_client import ChannelClient
from tests.support.effort import repetitions
from tests.support.server import FamichatServer
from tests.support.talkers import KEYS

USERS = repetitions(3, long=100)
DEVICES = 10
PATIENCE_SECONDS = 120


def move_in(database_url: str) -> tuple[str, list[str]]:
    """Return the topic of a family's conversation, and an access token for each device of its members."""
    database = Database(database_url)
    try:
        upgrade(database)
        return database.run(_move_in)
    finally:
        database.close()


def _move_in(session: Session) -> tuple[str, list[str]]:
    home = people.household(session)
    members = [people.person(session, f"relative{number}") for number in range(USERS)]
    for member in members:
        people.join(session, home.family_id, member)
    conversation = create_family_conversation(session, home.maja.user_id).conversation
    tokens = Tokens(people.SECRET)
    return f"message:family:{conversation.id}", [
        tokens.issue(member.user_id, add_device(session, member.user_id, f"device {number}").id)
        for member in members
        for number in range(DEVICES)
    ]


async def test_every_client_of_a_reconnect_storm_returns_without_a_failed_request(
    tmp_path: Path, database_url: str
) -> None:
    topic, tokens = move_in(database_url)
    refusals: list[int] = []

    async def reconnect(token: str) -> None:
        """Connect and join. A refused client waits as long as the server asked for."""
        while True:
            try:
                async with ChannelClient.connect(f"{server.url}/socket", auth_token=token) as client:
                    await client.join(topic, {"last_seq": 0})
                    await all_joined.wait()
                    return
            except InvalidStatus as refused:
                refusals.append(refused.response.status_code)
                await asyncio.sleep(float(refused.response.headers["Retry-After"]))

    async with FamichatServer(tmp_path / "data", database_url=database_url, settings=KEYS) as server:
        for _ in range(2):
            all_joined = asyncio.Barrier(len(tokens))
            async with asyncio.timeout(PATIENCE_SECONDS):
                await asyncio.gather(*map(reconnect, tokens))

    assert set(refusals) <= {503}
