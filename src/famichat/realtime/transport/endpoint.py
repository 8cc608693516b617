"""The endpoint: checks and admits clients, and holds the open connections.

class Users(SocketHandler):
    channels = (("room:*", RoomChannel),)

    async def connect(self, request):
        user = users.get(request.token)
        if user is None:
            raise JoinRefused
        return Connected(ids=frozenset({f"users_socket:{user.id}"}), assigns=user)

endpoint = Endpoint(Users(), PubSub())
uvicorn.Config(app, ws=websocket_protocol(endpoint))
"""

import asyncio
import base64
import binascii
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, NoReturn

from famichat.realtime.channel import ChannelFactory, JoinRefused
from famichat.realtime.events import ConnectRefused, emit
from famichat.realtime.pubsub import PubSub
from famichat.realtime.serializer import Serializer, negotiate
from famichat.realtime.socket import Socket
from famichat.realtime.transport.byte_budget import ByteBudget
from famichat.realtime.transport.connection import SERVICE_RESTART, Connection, Transport
from famichat.realtime.transport.connection_counter import ConnectionCounter
from famichat.realtime.transport.limits import Limits
from famichat.realtime.transport.origin import OriginCheck, origin_allowed

Pace = Callable[[int], float]
"""See `Connected.pace`."""

SUBPROTOCOL = "phoenix"
RETRY_AFTER = "5"
"""Seconds that a client should wait after 429 or 503 (RFC 9110, section 10.2.3). Our clients add jitter to it."""
_BEARER = "base64url.bearer.phx."


@dataclass(frozen=True, slots=True)
class ConnectRequest:
    """The connect request of a client. Everything in it is untrusted.

    Attributes:
        params: the query parameters.
        headers: by lower-case name.
        token: the client's `authToken`, which is not part of the URL (rules 6 and 49).
        peer: the IP address of the TCP peer, which may be a proxy.
        secure: whether the request came over TLS.
    """

    params: Mapping[str, Any]
    headers: Mapping[str, str]
    token: str | None = field(default=None, repr=False)
    peer: str | None = None
    secure: bool = False


@dataclass(frozen=True, slots=True)
class Connected:
    """The application's acceptance of a client.

    Attributes:
        ids: the ids by which the connection can be closed.
        assigns: the data for its channels.
        client: connections with the same key are limited together, such as those of one user; None for no limit.
        pace: counts a frame of this many bytes, and returns the seconds to wait before the frame may be handled. If
            they are not 0, the frame was not counted.
    """

    ids: frozenset[str] = frozenset()
    assigns: Any = None
    client: str | None = None
    pace: Pace = lambda _size: 0.0


class Unavailable(JoinRefused):
    """The server accepts no connections at the moment; the client may retry later."""


class TooManyConnections(Unavailable):
    """The client's address, or the client itself, has reached its connection limit, or connects too often."""


class Admitted(NamedTuple):
    """A client that was admitted, with its socket and serializer."""

    socket: Socket
    serializer: Serializer
    address: str
    client: str | None
    pace: Pace


class SocketHandler:
    """Authenticates connections and lists the channels. Applications subclass it (Phoenix: Phoenix.Socket)."""

    channels: Sequence[tuple[str, ChannelFactory]] = ()
    """Topic patterns and their channels. A pattern is exact or `prefix*`; the first match wins (rule 20)."""

    async def connect(self, request: ConnectRequest) -> Connected:
        """Authenticate a client.

        Raises:
            JoinRefused: the client may not connect; it gets HTTP 403 (rule 4).
        """
        return Connected()


class Endpoint:
    """The shared state of all connections of one handler, over WebSocket and long poll.

    Args:
        handler: the application.
        pubsub: the topics.
        limits: the limits of connections, frames and queues.
        check_origin: the allowed origins of web pages.
        host: the endpoint's own host, for `check_origin=True`.
        path: the mount path: the WebSocket is at `<path>/websocket`, the long poll at `<path>/longpoll`.
        address_of: returns the client address, for the limit per address.
        byte_budget: counts the bytes of incomplete and of unread frames.
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
        byte_budget: ByteBudget | None = None,
    ) -> None:
        self.handler = handler
        self.pubsub = pubsub or PubSub()
        self.limits = limits or Limits()
        self.path = path
        self.routes: Mapping[str, ChannelFactory] = _first_wins(handler.channels)
        self._check_origin = check_origin
        self._host = host
        self._address_of = address_of
        self.byte_budget = byte_budget or ByteBudget()
        self._counter = ConnectionCounter(self.limits.max_per_address)
        self._per_client = ConnectionCounter(self.limits.max_per_client)
        self._connections: dict[Connection, Admitted] = {}
        self._draining = False

    @property
    def connections(self) -> int:
        """The number of open connections."""
        return len(self._connections)

    def check_origin(self, request: ConnectRequest, transport: str) -> None:
        """Check the Origin header, the first of the checks (rule 2).

        Raises:
            JoinRefused: a page of this origin may not connect.
            Unavailable: the server is draining.
        """
        if self._draining:
            self._refuse_for_now(transport)
        requested = f"{'https' if request.secure else 'http'}://{request.headers.get('host', '')}"
        origin = request.headers.get("origin")
        if not origin_allowed(origin, self._check_origin, own_host=self._host, requested=requested):
            self._refuse(transport, "origin")

    async def admit(self, request: ConnectRequest, transport: str) -> Admitted:
        """Check capacity and serializer version, and let the application authenticate the client. See `check_origin`.

        Raises:
            JoinRefused: the version is unknown, or the application refuses the client.
            Unavailable: the server has reached its connection limit, or the application did not decide in time.
            TooManyConnections: the client's address, or the client itself, has reached its connection limit.
        """
        address = self._address_of(request)
        self._check_capacity(address, transport)
        serializer = self._negotiate(request, transport)
        asked_at = time.monotonic()
        try:
            async with asyncio.timeout(self.limits.connect_timeout):
                connected = await self.handler.connect(request)
        except JoinRefused:
            emit(ConnectRefused(transport=transport, reason="application"))
            raise
        except TimeoutError:
            # A reconnect storm, not a bug: the client retries later.
            emit(ConnectRefused(transport=transport, reason="timeout"))
            raise Unavailable from None
        if self.pubsub.disconnected_since(asked_at, connected.ids):
            self._refuse(transport, "disconnected")
        if connected.client is not None and self._per_client.is_full(connected.client):
            self._refuse_crowded(transport)
        self._check_capacity(address, transport)  # again: other clients have connected during the await
        patterns = tuple(self.routes)
        socket = Socket(patterns, max_channels=self.limits.max_channels, ids=connected.ids, assigns=connected.assigns)
        return Admitted(socket, serializer, address, connected.client, connected.pace)

    def open(self, admitted: Admitted, transport: Transport) -> Connection:
        """Open the connection of an admitted client."""
        connection = Connection(self, admitted.socket, admitted.serializer, transport)
        self._connections[connection] = admitted
        self._counter.enter(admitted.address)
        if admitted.client is not None:
            self._per_client.enter(admitted.client)
        return connection

    def disconnected(self, connection: Connection) -> None:
        """Remove a connection that has ended."""
        admitted = self._connections.pop(connection, None)
        if admitted is None:
            return
        self._counter.leave(admitted.address)
        if admitted.client is not None:
            self._per_client.leave(admitted.client)

    async def drain(
        self,
        draining_nodes: Callable[[], int] = lambda: 1,
        *,
        batch: int = 10,
        pause: float = 0.05,
        at_most: float = 40.0,
    ) -> None:
        """Close all connections with 1012, service restart (rule 39), and refuse new ones.

        The clients reconnect immediately, mostly to other nodes. By default, all nodes that drain at the same time send
        200 per second away together, in random order: more would make other clients wait.

        Args:
            draining_nodes: returns how many nodes drain now. This one takes its share of the rate.
            batch: the number of connections to close together.
            pause: the average number of seconds between two batches.
            at_most: after this many seconds, all other connections are closed immediately.
        """
        self._draining = True
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + at_most
        connections = list(self._connections)
        random.shuffle(connections)
        while connections:
            now = connections if loop.time() >= ends_at else connections[:batch]
            connections = connections[len(now) :]
            for connection in now:
                connection.close(SERVICE_RESTART, "server restart")
            if connections:
                await asyncio.sleep(draining_nodes() * pause * random.uniform(0.5, 1.5))  # noqa: S311 - jitter is no secret  # nosec B311

    async def stop(self, draining_nodes: Callable[[], int] = lambda: 1, *, timeout: float = 10.0) -> None:  # noqa: ASYNC109 - it bounds several waits, and raises nothing
        """Drain, then wait until every channel has ended, for at most `timeout` seconds."""
        await self.drain(draining_nodes)
        waits = [asyncio.ensure_future(connection.over()) for connection in tuple(self._connections)]
        if waits:
            _, late = await asyncio.wait(waits, timeout=timeout)
            for wait in late:
                wait.cancel()

    def _check_capacity(self, address: str, transport: str) -> None:
        if self._draining or len(self._connections) >= self.limits.max_connections:
            self._refuse_for_now(transport)
        if self._counter.is_full(address):
            self._refuse_crowded(transport)

    def _refuse_crowded(self, transport: str) -> NoReturn:
        emit(ConnectRefused(transport=transport, reason="crowded"))
        raise TooManyConnections

    def _refuse_for_now(self, transport: str) -> NoReturn:
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
    """The result of subprotocol negotiation: the token found in the offer, and the subprotocol to select."""

    token: str | None
    subprotocol: str | None


def read_offer(offered: Sequence[str]) -> Offer:
    """Parse the `Sec-WebSocket-Protocol` entries of a client, one of which may contain its `authToken` (rule 6).

    Raises:
        JoinRefused: no entry is supported, or the token cannot be decoded.
    """
    tokens = [entry.removeprefix(_BEARER) for entry in offered if entry.startswith(_BEARER)]
    others = [entry for entry in offered if not entry.startswith(_BEARER)]
    if others and SUBPROTOCOL not in others:
        raise JoinRefused("subprotocol")
    subprotocol = SUBPROTOCOL if others else None
    # Exactly one token counts: which of several is meant is ambiguous.
    return Offer(_decode_token(tokens[0]) if len(tokens) == 1 else None, subprotocol)


def _decode_token(encoded: str) -> str:
    # The prefix says base64url, but phoenix.js uses btoa(), the standard alphabet. Accept both, without padding.
    standard = encoded.translate(str.maketrans("-_", "+/")).rstrip("=")
    try:
        return base64.b64decode(standard + "=" * (-len(standard) % 4), validate=True).decode()
    except (binascii.Error, ValueError):
        raise JoinRefused("subprotocol") from None
