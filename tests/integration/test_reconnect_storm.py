"""All clients of a server reconnect in the same moment, as after its restart."""

import asyncio
import json
from asyncio import FIRST_COMPLETED
from contextlib import suppress
from pathlib import Path

from sqlalchemy.orm import Session
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from famichat.accounts.device import add_device
from famichat.accounts.sign_in.token import Tokens
from famichat.chat.conversations.create import create_family_conversation
from famichat.client.backoff import RECONNECT, Backoff
from famichat.client.phoenix import auth_subprotocols
from famichat.storage.database import Database
from famichat.storage.migrate import upgrade
from tests.factories import people
from tests.support.effort import repetitions
from tests.support.server import FamichatServer
from tests.support.talkers import KEYS

USERS = repetitions(3, long=100)
DEVICES = 10
PATIENCE_SECONDS = 120
HEARTBEAT_SECONDS = 20


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


class StormClient:
    """A client that reconnects, joins one topic and then only reads, which is much cheaper than `ChannelClient`.

    Args:
        url: of the WebSocket.
        token: the access token of the device.
    """

    def __init__(self, url: str, token: str) -> None:
        self._url = url
        self._token = token
        self._waits = Backoff(RECONNECT)
        self._websocket: ClientConnection | None = None
        self.refusals: list[int] = []
        self.joined = asyncio.Event()

    async def run(self, topic: str) -> None:
        """Connect and join; read until cancelled, or until the server closes the connection."""
        async with await self._connect() as websocket:
            self._websocket = websocket
            await websocket.send(json.dumps(["1", "1", topic, "phx_join", {"last_seq": 0}]))
            async for frame in websocket:
                if not self.joined.is_set() and (reply := json.loads(frame))[:2] == ["1", "1"]:
                    assert reply[4]["status"] == "ok", reply
                    self.joined.set()

    async def heartbeat(self) -> None:
        """Send a heartbeat, without which the server disconnects idle clients."""
        if self._websocket is not None:
            with suppress(ConnectionClosed):
                await self._websocket.send(json.dumps([None, "2", "phoenix", "heartbeat", {}]))

    async def _connect(self) -> ClientConnection:
        while True:
            try:
                return await connect(
                    self._url,
                    subprotocols=auth_subprotocols(self._token),
                    max_size=None,
                    ping_interval=None,
                    open_timeout=PATIENCE_SECONDS,
                    compression=None,
                )
            except InvalidStatus as refused:
                self.refusals.append(refused.response.status_code)
                await asyncio.sleep(self._waits.delay(float(refused.response.headers["Retry-After"])))


async def storm(url: str, tokens: list[str], topic: str) -> list[int]:
    """Connect all clients at once, wait until each has joined, and disconnect. Return the statuses of refusals.

    Raises:
        AssertionError: a connection was lost.
        TimeoutError: a client did not join in time.
    """
    clients = [StormClient(url, token) for token in tokens]
    connections: list[asyncio.Future[None]] = [asyncio.create_task(client.run(topic)) for client in clients]
    all_joined = asyncio.ensure_future(_all_joined(clients))
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not all_joined.done():
                await asyncio.wait([all_joined, *connections], timeout=HEARTBEAT_SECONDS, return_when=FIRST_COMPLETED)
                lost = [task for task in connections if task.done()]
                assert not lost, f"{len(lost)} clients lost their connection: {lost[0]}"
                await asyncio.gather(*(client.heartbeat() for client in clients))
    finally:
        all_joined.cancel()
        for task in connections:
            task.cancel()
        await asyncio.gather(*connections, all_joined, return_exceptions=True)
    return [status for client in clients for status in client.refusals]


async def _all_joined(clients: list[StormClient]) -> None:
    for client in clients:
        await client.joined.wait()


async def test_every_client_of_a_reconnect_storm_returns_without_a_failed_request(
    tmp_path: Path, database_url: str
) -> None:
    topic, tokens = move_in(database_url)
    async with FamichatServer(tmp_path / "data", database_url=database_url, settings=KEYS) as server:
        url = f"{server.url.replace('http', 'ws', 1)}/socket/websocket?vsn=2.0.0"
        for _ in range(2):
            assert set(await storm(url, tokens, topic)) <= {503}
