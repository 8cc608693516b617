"""An application for transport tests: rooms with scripted channels, and tokens that name their user."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

from famichat.realtime import (
    Channel,
    ChannelFactory,
    Connected,
    ConnectRequest,
    Endpoint,
    JoinRefused,
    Limits,
    Payload,
    PubSub,
    ReplyPayload,
    SocketHandler,
    TerminateReason,
    ok,
)
from famichat.realtime.channel import Deferred
from famichat.realtime.transport.origin import OriginCheck
from famichat.realtime.transport.websocket import WebSocketProtocol
from tests.support.realtime_server import RunningServer, running_server


class Room(Channel):
    """Broadcasts every message; clients with a named token may join. `left` records every departure."""

    left: list[TerminateReason]

    async def handle_in(self, event: str, payload: Payload) -> ReplyPayload | Deferred | None:
        match event:
            case "shout":
                self.broadcast("shout", payload)
                return ok()
            case "whisper":
                self.broadcast("whisper", payload, exclude_self=True)
                return ok()
            case "echo":
                return ok(payload)
            case "crash":
                raise RuntimeError("a secret s3cr3t")
            case "stop":
                self.close()
                return None
        return await super().handle_in(event, payload)

    async def terminate(self, reason: TerminateReason) -> None:
        self.left.append(reason)


class Rooms(SocketHandler):
    """Accepts every client except one token that it refuses; the token "broken" raises."""

    def __init__(self, factory: ChannelFactory) -> None:
        self.channels = (("room:*", factory),)
        self.requests: list[ConnectRequest] = []
        self.client: str | None = None
        self.waits: list[float] = []

    async def connect(self, request: ConnectRequest) -> Connected:
        self.requests.append(request)
        name = request.token or request.params.get("token", "somebody")
        if name == "nobody":
            raise JoinRefused
        if name == "broken":
            raise RuntimeError("a secret s3cr3t")
        if name == "slow":
            await asyncio.sleep(60)
        return Connected(frozenset({f"user:{name}"}), name, client=self.client, pace=self._pace)

    def _pace(self, _size: int) -> float:
        """Return the next of `waits`."""
        return self.waits.pop(0) if self.waits else 0.0


class House:
    """A served endpoint with access to its state."""

    def __init__(self, server: RunningServer, endpoint: Endpoint, rooms: Rooms, left: list[TerminateReason]) -> None:
        self.server = server
        self.endpoint = endpoint
        self.pubsub = endpoint.pubsub
        self.rooms = rooms
        self.left = left
        self.url = server.socket_url

    @property
    def websockets(self) -> list[WebSocketProtocol]:
        """The server's ends of the WebSockets that are open."""
        return [each for each in self.server.server.server_state.connections if isinstance(each, WebSocketProtocol)]

    async def until_connections(self, number: int) -> None:
        """Wait until so many connections are left."""
        async with asyncio.timeout(3):
            while self.endpoint.connections > number:  # noqa: ASYNC110 - the endpoint has no event for it
                await asyncio.sleep(0.005)

    async def until_left(self, number: int) -> list[TerminateReason]:
        """Wait until so many channels have left, and return how."""
        async with asyncio.timeout(3):
            while len(self.left) < number:  # noqa: ASYNC110 - the channels have no event for it
                await asyncio.sleep(0.005)
        return self.left


@contextlib.asynccontextmanager
async def home(
    channel: type[Room] = Room,
    *,
    limits: Limits | None = None,
    check_origin: OriginCheck = False,
    pubsub: PubSub | None = None,
    app: Callable[[Endpoint], Any] | None = None,
) -> AsyncIterator[House]:
    """Serve rooms of this class until the block ends."""
    left: list[TerminateReason] = []
    served = type(channel.__name__, (channel,), {"left": left})
    rooms = Rooms(served)
    endpoint = Endpoint(rooms, pubsub, limits=limits, check_origin=check_origin)
    async with running_server(endpoint, app(endpoint) if app else None) as server:
        yield House(server, endpoint, rooms, left)
