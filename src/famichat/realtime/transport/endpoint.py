"""Where clients connect: the application's decision about each, and the connections that are open.

class Users(SocketHandler):
    channels = (("room:*", RoomChannel),)

    async def connect(self, request):
        user = users.get(request.token)
        if user is None:
            raise Refused
        return Connected(ids=frozenset({f"users_socket:{user.id}"}), assigns=user)

endpoint = Endpoint(Users(), PubSub())
uvicorn.Config(app, ws=websocket_protocol(endpoint))
"""

import asyncio
import base64
import binascii
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, NoReturn

from famichat.realtime.channel import ChannelFactory, JoinRefused
from famichat.realtime.events import ConnectRefused, emit
from famichat.realtime.pubsub import PubSub
from famichat.realtime.serializer import Serializer, negotiate
from famichat.realtime.socket import Socket
from famichat.realtime.transport.connection import SERVICE_RESTART, Connection, Transport
from famichat.realtime.transport.connection_counter import ConnectionCounter
from famichat.realtime.transport.limits import Limits
from famichat.realtime.transport.origin import OriginCheck, origin_allowed

SUBPROTOCOL = "phoenix"
_BEARER = "base64url.bearer.phx."


@dataclass(frozen=True, slots=True)
class ConnectRequest:
    """What a client says about itself when it connects.

    Headers have lower-case names. `token` is the client's `authToken`, which travels outside the URL.
    """

    params: Mapping[str, Any]
    headers: Mapping[str, str]
    token: str | None = field(default=None, repr=False)
    peer: str | None = None
    secure: bool = False


@dataclass(frozen=True, slots=True)
class Connected:
    """The application's yes: by which ids the connection can be closed, and what to remember about it."""

    ids: frozenset[str] = frozenset()
    assigns: Any = None


class Unavailable(JoinRefused):
    """Raised where nobody can be let in for now; the client shall come back later."""


class TooManyConnections(Unavailable):
    """Raised where so many are in from the client's address that no more of them can be."""


class Admitted(NamedTuple):
    """A client that may connect."""

    socket: Socket
    serializer: Serializer
    address: str


class SocketHandler:
    """What an application subclasses to say who may connect, and which channels there are."""

    channels: Sequence[tuple[str, ChannelFactory]] = ()
    """Topics and their channels: a pattern is exact or `prefix*`, and the first that matches wins."""

    async def connect(self, request: ConnectRequest) -> Connected:
        """Decide about a client.

        Raises:
            Refused: it may not connect, and is told 403.
        """
        return Connected()


class Endpoint:
    """Everything that the connections of one handler share, whichever way they come in.

    Args:
        handler: the application.
        pubsub: the topics.
        limits: what one client may ask for.
        check_origin: which web pages may connect.
        host: the endpoint's own host, for `check_origin=True`.
        path: where it is mounted: the WebSocket is at `<path>/websocket`, the long poll at `<path>/longpoll`.
        address_of: where a client comes from, for the limit on those of one address.
    """

    def __init__(
        self,
        handler: SocketHandler,
        pubsub: PubSub | None = None,
        *,
        limits: Limits | None = None,
        check_origin: OriginCheck = "conn",
        host: str | None = None,
        path: str = "/socket",
        address_of: Callable[[ConnectRequest], str] = lambda request: request.peer or "nowhere",
    ) -> None:
        self.handler = handler
        self.pubsub = pubsub or PubSub()
        self.limits = limits or Limits()
        self.path = path
        self.routes: Mapping[str, ChannelFactory] = _first_wins(handler.channels)
        self._check_origin = check_origin
        self._host = host
        self._address_of = address_of
        self._crowd = ConnectionCounter(self.limits.max_per_address)
        self._connections: dict[Connection, str] = {}
        self._draining = False

    @property
    def connections(self) -> int:
        """How many connections there are."""
        return len(self._connections)

    def check_origin(self, request: ConnectRequest, transport: str) -> None:
        """Check which page a client is on, before anything else is looked at.

        Raises:
            Refused: a page of that origin may not connect.
            Unavailable: nobody may, because the server is about to stop.
        """
        if self._draining:
            self._turn_away(transport)
        requested = f"{'https' if request.secure else 'http'}://{request.headers.get('host', '')}"
        origin = request.headers.get("origin")
        if not origin_allowed(origin, self._check_origin, own_host=self._host, requested=requested):
            self._refuse(transport, "origin")

    async def admit(self, request: ConnectRequest, transport: str) -> Admitted:
        """Decide whether a client whose origin was checked may connect: is there room, its dialect, the application.

        Raises:
            Refused: it may not.
            Unavailable: nobody may, because the server is full.
            Crowded: nobody from that address may.
        """
        address = self._address_of(request)
        self._check_room(address, transport)
        serializer = self._negotiate(request, transport)
        asked_at = time.monotonic()
        try:
            async with asyncio.timeout(self.limits.connect_timeout):
                connected = await self.handler.connect(request)
        except JoinRefused:
            emit(ConnectRefused(transport=transport, reason="application"))
            raise
        if self.pubsub.disconnected_since(asked_at, connected.ids):
            self._refuse(transport, "disconnected")
        self._check_room(address, transport)  # others have come meanwhile
        patterns = tuple(self.routes)
        socket = Socket(patterns, max_channels=self.limits.max_channels, ids=connected.ids, assigns=connected.assigns)
        return Admitted(socket, serializer, address)

    def open(self, admitted: Admitted, wire: Transport) -> Connection:
        """Start the connection of a client that was admitted."""
        connection = Connection(self, admitted.socket, admitted.serializer, wire)
        self._connections[connection] = admitted.address
        self._crowd.enter(admitted.address)
        return connection

    def gone(self, connection: Connection) -> None:
        """Forget a connection that is over."""
        address = self._connections.pop(connection, None)
        if address is not None:
            self._crowd.leave(address)

    async def drain(self, *, batch: int = 100, pause: float = 0.05) -> None:
        """Tell all clients to come back later (1012), a batch at a time, so that they do not all return at once.

        Connections without a channel are told the same; nobody new is let in from now on.
        """
        self._draining = True
        connections = tuple(self._connections)
        for start in range(0, len(connections), batch):
            for connection in connections[start : start + batch]:
                connection.close(SERVICE_RESTART, "server restart")
            await asyncio.sleep(pause)

    async def stop(self, *, timeout: float = 10.0) -> None:  # noqa: ASYNC109 - it bounds several waits, and raises nothing
        """Drain, then wait until every channel has ended, but no longer than `timeout`."""
        await self.drain()
        waits = [asyncio.ensure_future(connection.over()) for connection in tuple(self._connections)]
        if waits:
            _, late = await asyncio.wait(waits, timeout=timeout)
            for wait in late:
                wait.cancel()

    def _check_room(self, address: str, transport: str) -> None:
        if self._draining or len(self._connections) >= self.limits.max_connections:
            self._turn_away(transport)
        if self._crowd.is_full(address):
            emit(ConnectRefused(transport=transport, reason="crowded"))
            raise TooManyConnections

    def _turn_away(self, transport: str) -> NoReturn:
        emit(ConnectRefused(transport=transport, reason="full"))
        raise Unavailable

    def _negotiate(self, request: ConnectRequest, transport: str) -> Serializer:
        vsn = request.params.get("vsn")
        serializer = negotiate(vsn) if vsn is None or isinstance(vsn, str) else None
        if serializer is None:
            self._refuse(transport, "vsn")
        return serializer

    def _refuse(self, transport: str, reason: str) -> NoReturn:
        emit(ConnectRefused(transport=transport, reason=reason))
        raise JoinRefused(reason)


def _first_wins(channels: Sequence[tuple[str, ChannelFactory]]) -> dict[str, ChannelFactory]:
    routes: dict[str, ChannelFactory] = {}
    for pattern, factory in channels:
        routes.setdefault(pattern, factory)
    return routes


@dataclass(frozen=True, slots=True)
class Offer:
    """What a client offered as WebSocket subprotocols, and what is to be answered."""

    token: str | None
    subprotocol: str | None


def read_offer(offered: Sequence[str]) -> Offer:
    """Read the `Sec-WebSocket-Protocol` entries of a client, among which an `authToken` may hide.

    Raises:
        Refused: nothing in it is spoken here, or the token is not readable.
    """
    tokens = [entry.removeprefix(_BEARER) for entry in offered if entry.startswith(_BEARER)]
    others = [entry for entry in offered if not entry.startswith(_BEARER)]
    if others and SUBPROTOCOL not in others:
        raise JoinRefused("subprotocol")
    subprotocol = SUBPROTOCOL if others else None
    # More than one token is nobody's honest mistake; none of them counts then.
    return Offer(_decode_token(tokens[0]) if len(tokens) == 1 else None, subprotocol)


def _decode_token(encoded: str) -> str:
    # The name says base64url, but browsers' btoa() writes the standard alphabet; take both, without padding.
    standard = encoded.translate(str.maketrans("-_", "+/")).rstrip("=")
    try:
        return base64.b64decode(standard + "=" * (-len(standard) % 4), validate=True).decode()
    except (binascii.Error, ValueError):
        raise JoinRefused("subprotocol") from None
