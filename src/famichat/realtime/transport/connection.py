"""One client's connection, independent of the transport: its socket state and its running channels.

A WebSocket or a long-poll session owns a `Connection`, passes it the received frames, and is its `Transport`.
"""

import time
from collections.abc import Mapping
from typing import Protocol

from famichat.realtime.channel import Channel, ChannelFactory
from famichat.realtime.channel_server import ChannelServer
from famichat.realtime.events import BinaryDropped, FrameRejected, SocketConnected, SocketDisconnected, emit
from famichat.realtime.message import Outgoing, Reply, error
from famichat.realtime.pubsub import Dispatch, PubSub
from famichat.realtime.serializer import BinaryUnsupportedError, Encoded, MalformedFrameError, Serializer
from famichat.realtime.small_event import SmallEvent
from famichat.realtime.socket import Deliver, JoinedTopic, Send, Socket, Start
from famichat.realtime.transport.limits import Limits

GOING_AWAY, PROTOCOL_ERROR, INTERNAL_ERROR, SERVICE_RESTART, SLOW_CONSUMER = 1001, 1002, 1011, 1012, 4008


class Transport(Protocol):
    """Carries the frames of a connection."""

    name: str
    """"websocket" or "longpoll"."""
    carries_binary: bool

    def send(self, frame: Encoded) -> None:
        """Queue a frame. Never blocks; drops the frame if the client has disconnected."""
        ...

    def close(self, code: int, reason: str) -> None:
        """Close the transport with a close code (RFC 6455, section 7.4)."""
        ...

    def pause_receiving(self) -> None:
        """Stop reading from the client."""
        ...

    def resume_receiving(self) -> None:
        """Read from the client again."""
        ...

    async def writable(self) -> None:
        """Wait until the client has read enough of its queued frames, or has disconnected."""
        ...


class EndpointPort(Protocol):
    """The endpoint of a connection, as `Connection` uses it."""

    routes: Mapping[str, ChannelFactory]
    pubsub: PubSub
    limits: Limits

    def disconnected(self, connection: "Connection") -> None:
        """Remove a connection that is closed and whose channels have all ended."""
        ...


class Connection:
    """Runs the channels of one client."""

    def __init__(self, endpoint: EndpointPort, socket: Socket, serializer: Serializer, transport: Transport) -> None:
        self.pubsub = endpoint.pubsub
        self.ids = socket.ids
        self.max_deferred = endpoint.limits.max_deferred
        self.announces_replacement = serializer.closes_duplicates
        self._endpoint = endpoint
        self._limits = endpoint.limits
        self._socket = socket
        self._serializer = serializer
        self._transport = transport
        self._channels: dict[JoinedTopic, ChannelServer] = {}
        self._waiting_frames = self._waiting_bytes = 0
        self._paused = False
        self._open = True
        self._over = SmallEvent()
        self._since = time.monotonic()
        self.pubsub.connected(self)
        emit(SocketConnected(transport=transport.name, vsn=serializer.version))

    # Called by the transport

    def receive(self, data: bytes, *, binary: bool = False) -> None:
        """Decode and route one frame of the client. A malformed frame closes the connection with 1011 (rule 37)."""
        if not self._open:
            return
        try:
            message = self._serializer.decode(data, binary=binary)
        except MalformedFrameError as fault:
            emit(FrameRejected(reason=str(fault), size_bytes=len(data)))
            self.close(INTERNAL_ERROR, "malformed frame")
            return
        match self._socket.receive(message):
            case Send(frame):
                self.send(frame)
            case Start() as start:
                self._start(start, len(data))
            case Deliver(joined_topic, message):
                self._count(1, len(data))
                self._channels[joined_topic].accept(message, len(data))

    def lost(self) -> None:
        """Handle a disconnect of the client: its channels handle their inboxes and end (rule 34)."""
        if self._mark_closed(None):
            for channel in tuple(self._channels.values()):
                channel.finish(self._limits.shutdown_timeout)

    # Called by the endpoint and by pub/sub

    def close(self, code: int, reason: str = "") -> None:
        """Close the connection from the server: its channels end without frames and without handling their inboxes."""
        if self._mark_closed(code):
            self._transport.close(code, reason)
            for channel in tuple(self._channels.values()):
                channel.drop(self._limits.shutdown_timeout)

    def disconnect(self) -> None:
        """Close the connection so that the client reconnects and is authenticated again (rule 38)."""
        self.close(GOING_AWAY, "disconnect")

    async def over(self) -> None:
        """Wait until the connection is closed and all its channels have ended."""
        await self._over.wait()

    # Called by its channels

    def send(self, frame: Outgoing) -> None:
        """Queue a frame for the client.

        If the client cannot receive binary frames (rule 17), a binary reply becomes an error, other frames are dropped.
        """
        if not self._open:
            return
        try:
            self._send(self._serializer.encode(frame))
        except BinaryUnsupportedError:
            if isinstance(frame, Reply):
                self.send(Reply(frame.join_ref, frame.ref, frame.topic, error("binary_unsupported")))
            else:
                self._drop_binary()

    def send_dispatch(self, dispatch: Dispatch) -> None:
        """Queue a broadcast for the client; clients with the same serializer version share its bytes."""
        if not self._open:
            return
        try:
            self._send(dispatch.encoded(self._serializer))
        except BinaryUnsupportedError:
            self._drop_binary()

    async def writable(self) -> None:
        """Wait until the client has read enough of its queued frames, or has disconnected."""
        if self._open:
            await self._transport.writable()

    def handled(self, frames: int, size: int) -> None:
        """Count frames as handled; read from the client again when few enough are left."""
        self._count(-frames, -size)

    def ended(self, channel: ChannelServer) -> None:
        """Remove a channel that has ended."""
        self._socket.release(channel.joined_topic)
        del self._channels[channel.joined_topic]
        self._release_if_over()

    # Inside

    def _start(self, start: Start, size: int) -> None:
        replaces = self._channels.get(start.replaces) if start.replaces is not None else None
        if replaces is not None:
            replaces.finish(self._limits.shutdown_timeout, replaced=True)
        channel = ChannelServer(self, start.joined_topic, lambda: self._make_channel(start), replaces)
        self._channels[start.joined_topic] = channel
        self._count(1, size)
        channel.start(start.join, size)

    def _make_channel(self, start: Start) -> Channel:
        return self._endpoint.routes[start.pattern](self._socket, start.joined_topic.topic)

    def _mark_closed(self, code: int | None) -> bool:
        if not self._open:
            return False
        self._open = False
        self.pubsub.disconnected(self)
        duration = time.monotonic() - self._since
        emit(SocketDisconnected(transport=self._transport.name, code=code, duration_seconds=duration))
        self._release_if_over()
        return True

    def _release_if_over(self) -> None:
        if not self._open and not self._channels:
            self._over.set()
            self._endpoint.disconnected(self)

    def _send(self, frame: Encoded) -> None:
        if frame.binary and not self._transport.carries_binary:
            raise BinaryUnsupportedError("this transport carries text only")
        self._transport.send(frame)

    def _drop_binary(self) -> None:
        emit(BinaryDropped(transport=self._transport.name, vsn=self._serializer.version))

    def _count(self, frames: int, size: int) -> None:
        self._waiting_frames += frames
        self._waiting_bytes += size
        frames_limit, bytes_limit = self._limits.inbox_frames, self._limits.inbox_bytes
        if self._paused:
            if self._waiting_frames <= frames_limit // 2 and self._waiting_bytes <= bytes_limit // 2:
                self._paused = False
                self._transport.resume_receiving()
        elif self._waiting_frames > frames_limit or self._waiting_bytes > bytes_limit:
            self._paused = True
            self._transport.pause_receiving()
