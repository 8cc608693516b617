"""Phoenix Channels, serializer version 2.0.0, over one WebSocket: channels, refs, replies and the heartbeat.

Nothing here reconnects or resumes: a `Socket` that is closed stays closed. `famichat.client.connection` opens the next
one, and `famichat.client.conversation` resumes on it.
"""

import asyncio
import base64
import itertools
from collections import deque
from typing import Any, Final, Self

import orjson
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from famichat.client.errors import Disconnected, Refused, not_utf8, refusal

HEARTBEAT: Final = 30.0
"""Seconds between heartbeats, as in Phoenix's clients; the server closes a connection after 60 seconds of silence."""

REPLY_TIMEOUT: Final = 10.0
"""Seconds to wait for a reply, as in Phoenix's clients."""

MAX_EVENTS: Final = 256
"""Capacity of a channel's queue. If it is full, the next event ends the channel, and its owner rejoins and resumes."""

MAX_FRAME: Final = 16 * 1024 * 1024
"""Bytes of one frame. The largest is the reply to a join, with a page of messages and a page of changes."""

_OPEN_TIMEOUT: Final = 10.0
_CLOSE_TIMEOUT: Final = 2.0


def socket_url(url: str) -> str:
    """The WebSocket address of the server at an HTTP base URL."""
    return url.replace("http", "ws", 1) + "/socket/websocket"


def auth_subprotocols(token: str) -> list[Subprotocol]:
    """Phoenix 1.8's `authToken`: keeps the token out of the URL, which proxies may log.

    The alphabet is that of standard base64 without padding, although the prefix says base64url.
    """
    encoded = base64.b64encode(token.encode()).decode().rstrip("=")
    return [Subprotocol("phoenix"), Subprotocol(f"base64url.bearer.phx.{encoded}")]


class Socket:
    """One open WebSocket. Create it with `open`, in the event loop that uses it.

    Args:
        websocket: the open connection.
        heartbeat: seconds between heartbeats. A heartbeat without a reply within this time closes the connection.
    """

    def __init__(self, websocket: ClientConnection, heartbeat: float = HEARTBEAT) -> None:
        self._websocket = websocket
        self._refs = itertools.count(1)
        self._replies: dict[str, asyncio.Future[tuple[str, Any]]] = {}
        self._channels: dict[str, Channel] = {}
        self._heard = False
        self._tasks = (
            asyncio.create_task(self._read(), name="phoenix reader"),
            asyncio.create_task(self._beat(heartbeat), name="phoenix heartbeat"),
        )

    @classmethod
    async def open(cls, address: str, token: str, *, heartbeat: float = HEARTBEAT) -> Self:
        """Connect.

        Args:
            address: `ws://` or `wss://`, with the path and without a query; see `socket_url`.
            token: an access token.
            heartbeat: seconds between heartbeats.

        Raises:
            websockets.exceptions.InvalidStatus: the server refused the upgrade; 403 without a valid token.
            websockets.exceptions.WebSocketException, OSError, TimeoutError: there is no connection.
        """
        websocket = await connect(
            f"{address}?vsn=2.0.0",
            subprotocols=auth_subprotocols(token),
            compression=None,
            ping_interval=None,  # the heartbeat finds dead connections
            max_size=MAX_FRAME,
            open_timeout=_OPEN_TIMEOUT,
            close_timeout=_CLOSE_TIMEOUT,
        )
        return cls(websocket, heartbeat)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def is_closed(self) -> bool:
        """Whether the connection has ended, for whatever reason."""
        return self._tasks[0].done()

    @property
    def was_healthy(self) -> bool:
        """Whether at least one frame arrived: the server behind a proxy is there."""
        return self._heard

    @property
    def close_code(self) -> int | None:
        """The WebSocket close code (RFC 6455, 7.4.1); None while open, 1006 if the connection ended without one."""
        return self._websocket.close_code

    @property
    def topics(self) -> list[str]:
        """The topics whose channels have not ended."""
        return list(self._channels)

    def channel(self, topic: str) -> "Channel":
        """A channel for this topic, not joined yet."""
        return Channel(self, topic)

    async def close(self) -> None:
        """Close the connection. Pending pushes raise `Disconnected`."""
        try:
            await self._websocket.close()
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            self._end()

    def abort(self) -> None:
        """Drop the connection without a close handshake."""
        self._websocket.transport.abort()

    async def request(self, frame: list[Any], timeout: float | None = REPLY_TIMEOUT) -> Any:  # noqa: ASYNC109 - it becomes a Disconnected, which callers handle anyway
        """Send a frame and wait for the reply to its ref. Raises as `Channel.push` does."""
        if self.is_closed:
            raise Disconnected("the connection is closed")
        _, ref, _, event, _ = frame
        reply: asyncio.Future[tuple[str, Any]] = asyncio.get_running_loop().create_future()
        self._replies[ref] = reply
        try:
            async with asyncio.timeout(timeout):
                await self.send(frame)
                status, response = await reply
        except TimeoutError:
            raise Disconnected(f"no reply to {event}") from None
        finally:
            del self._replies[ref]
        if status == "ok":
            return response
        raise _refusal(response if isinstance(response, dict) else {})

    async def send(self, frame: list[Any]) -> None:
        """Send a frame `[join_ref, ref, topic, event, payload]`.

        Raises:
            Disconnected: the connection is closed.
            Refused: `invalid_json`: a text contains half a surrogate pair. Nothing was sent.
        """
        try:
            data = orjson.dumps(frame)
        except orjson.JSONEncodeError as error:  # also raised for types that JSON does not have
            if "surrogates" in str(error):
                raise not_utf8() from None
            raise
        try:
            await self._websocket.send(data, text=True)
        except ConnectionClosed:
            self._end()  # now, and not when the reader notices: a caller that tries again must not find the channel
            raise Disconnected("the connection is closed") from None

    def receive(self, frame: list[Any]) -> None:
        """Take a frame from the server: resolve the request that it replies to, or hand it to its channel."""
        join_ref, ref, topic, event, payload = frame
        self._heard = True
        if event == "phx_reply":
            reply = self._replies.get(ref)
            if reply is not None and not reply.done():
                reply.set_result((payload["status"], payload["response"]))
            return
        channel = self._channels.get(topic)
        if channel is not None and join_ref in {None, channel.join_ref}:  # another join_ref: an earlier join
            channel.receive(event, payload)

    def next_ref(self) -> str:
        """A ref that was not used on this connection."""
        return str(next(self._refs))

    def attach(self, channel: "Channel") -> None:
        """Deliver the events of a topic to this channel, and to no earlier one."""
        self._channels[channel.topic] = channel

    def detach(self, channel: "Channel") -> None:
        """Deliver no more events to this channel."""
        if self._channels.get(channel.topic) is channel:
            del self._channels[channel.topic]

    async def _read(self) -> None:
        try:
            async for data in self._websocket:
                self.receive(orjson.loads(data))
        except (ConnectionClosed, ValueError, TypeError):  # the last two: not a frame of Phoenix, so not our server
            self.abort()
        finally:
            self._end()

    def _end(self) -> None:
        for reply in self._replies.values():
            if not reply.done():
                reply.set_exception(Disconnected("the connection was lost"))
        for channel in list(self._channels.values()):
            channel.end("the connection was lost")
        self._channels.clear()

    async def _beat(self, interval: float) -> None:
        try:
            while True:
                await asyncio.sleep(interval)
                await self.request([None, self.next_ref(), "phoenix", "heartbeat", {}], interval)
        except Disconnected:
            self.abort()


class Channel:
    """One topic on one socket. Iterate over it for its events, `(name, payload)`, in the order of their arrival.

    Args:
        socket: the connection.
        topic: the topic.

    Attributes:
        topic: as above.
        join_ref: the ref of the join, which tells the frames of this join from those of an earlier one.
    """

    def __init__(self, socket: Socket, topic: str) -> None:
        self.topic = topic
        self.join_ref = ""
        self._socket = socket
        self._events: deque[tuple[str, dict[str, Any]]] = deque()
        self._arrived = asyncio.Event()
        self._ended = asyncio.Event()
        self._reason = ""

    @property
    def is_ended(self) -> bool:
        """Whether no more events will arrive. Those that wait can still be read."""
        return self._ended.is_set()

    @property
    def close_code(self) -> int | None:
        """The close code of the connection; None while it is open."""
        return self._socket.close_code

    @property
    def is_empty(self) -> bool:
        """Whether no event waits."""
        return not self._events

    async def join(self, params: dict[str, Any], timeout: float | None = REPLY_TIMEOUT) -> dict[str, Any]:  # noqa: ASYNC109 - as in Socket.request
        """Join the topic. A channel joins once; make a new one to join again.

        Args:
            params: the payload of `phx_join`.
            timeout: seconds to wait for the reply; None waits until the connection ends.

        Returns:
            The response of the server.

        Raises:
            Refused: the server's reason. The socket stays open.
            Disconnected: there was no reply.
        """
        self.join_ref = self._socket.next_ref()
        self._socket.attach(self)  # before the reply, so that no event behind it is missed
        frame = [self.join_ref, self.join_ref, self.topic, "phx_join", params]
        try:
            joined: dict[str, Any] = await self._socket.request(frame, timeout)
        except BaseException:
            self.end("not joined")
            raise
        return joined

    async def push(
        self,
        event: str,
        payload: dict[str, Any],
        timeout: float | None = REPLY_TIMEOUT,  # noqa: ASYNC109 - as in Socket.request
    ) -> dict[str, Any]:
        """Send an event and wait for its reply.

        Args:
            event: its name.
            payload: a JSON object.
            timeout: seconds to wait; None waits until the connection ends.

        Returns:
            The response of an `ok` reply.

        Raises:
            Refused: the reason of an `error` reply.
            Disconnected: there was no reply; the server may have processed the event.
        """
        if self.is_ended:
            raise Disconnected(self._reason)
        frame = [self.join_ref, self._socket.next_ref(), self.topic, event, payload]
        response: dict[str, Any] = await self._socket.request(frame, timeout)
        return response

    async def cast(self, event: str, payload: dict[str, Any]) -> None:
        """Send an event without waiting for a reply.

        Raises:
            Disconnected: the channel has ended.
        """
        if self.is_ended:
            raise Disconnected(self._reason)
        await self._socket.send([self.join_ref, self._socket.next_ref(), self.topic, event, payload])

    async def leave(self) -> None:
        """Leave the topic. Waits for the server's confirmation.

        Raises:
            Disconnected: there was none. The channel has ended all the same.
        """
        try:
            await self.push("phx_leave", {})
        finally:
            self.end("left")

    async def wait_ended(self) -> None:
        """Wait until the channel has ended."""
        await self._ended.wait()

    def end(self, reason: str) -> None:
        """Accept no more events."""
        self._socket.detach(self)
        self._reason = self._reason or reason
        self._ended.set()
        self._arrived.set()

    def receive(self, event: str, payload: dict[str, Any]) -> None:
        """Take an event from the socket. If `MAX_EVENTS` wait already, the channel ends instead, to bound memory."""
        if event in {"phx_close", "phx_error"}:
            self.end(event)
        elif len(self._events) >= MAX_EVENTS:
            self.end("too many events wait")
        else:
            self._events.append((event, payload))
            self._arrived.set()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> tuple[str, dict[str, Any]]:
        """Return the next event.

        Raises:
            Disconnected: the channel has ended and no event waits.
        """
        while not self._events:
            if self.is_ended:
                raise Disconnected(self._reason)
            self._arrived.clear()
            await self._arrived.wait()
        return self._events.popleft()


def _refusal(response: dict[str, Any]) -> Refused:
    """The error for an `error` reply: `{"reason", "retry_in_ms"?, "details"?}`."""
    fields = {**response, **response.get("details", {})}
    code = str(fields.pop("reason", "refused"))
    fields.pop("details", None)
    return refusal(code, details=fields)
