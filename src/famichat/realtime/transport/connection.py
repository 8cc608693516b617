"""One client, whatever carries it: its socket, its running channels, and the frames that go back.

A WebSocket and a long-poll session each own one of these, feed it frames, and are its `Transport`.
"""

import asyncio
import time
from collections.abc import Mapping
from typing import Protocol

from famichat.realtime.channel import Channel, ChannelFactory
from famichat.realtime.channel_server import ChannelServer
from famichat.realtime.events import BinaryDropped, FrameRejected, SocketConnected, SocketDisconnected, emit
from famichat.realtime.message import Outgoing, Reply, error
from famichat.realtime.pubsub import Dispatch, PubSub
from famichat.realtime.serializer import BinaryUnsupportedError, Encoded, MalformedFrameError, Serializer
from famichat.realtime.socket import Deliver, JoinedTopic, Send, Socket, Start
from famichat.realtime.transport.limits import Limits

GOING_AWAY, PROTOCOL_ERROR, INTERNAL_ERROR, SERVICE_RESTART, SLOW_CONSUMER = 1001, 1002, 1011, 1012, 4008


class Transport(Protocol):
    """What carries a connection's frames."""

    carries: str
    """Its name: "websocket" or "longpoll"."""
    carries_binary: bool

    def send(self, frame: Encoded) -> None:
        """Queue a frame; never waits, and drops it when the client is gone."""
        ...

    def close(self, code: int, reason: str) -> None:
        """Close towards the client."""
        ...

    def pause_receiving(self) -> None:
        """Take no more from the client for now."""
        ...

    def resume_receiving(self) -> None:
        """Go on taking."""
        ...

    async def writable(self) -> None:
        """Wait until the client has read what it was sent, or is gone."""
        ...


class EndpointPort(Protocol):
    """What all connections of an endpoint share."""

    routes: Mapping[str, ChannelFactory]
    pubsub: PubSub
    limits: Limits

    def gone(self, connection: "Connection") -> None:
        """Forget a connection that is closed and whose channels have all ended."""
        ...


class Connection:
    """One client's channels at work."""

    def __init__(self, hub: EndpointPort, socket: Socket, serializer: Serializer, wire: Transport) -> None:
        self.pubsub = hub.pubsub
        self.ids = socket.ids
        self.max_deferred = hub.limits.max_deferred
        self.tells_replaced = serializer.closes_duplicates
        self._hub = hub
        self._limits = hub.limits
        self._socket = socket
        self._serializer = serializer
        self._wire = wire
        self._runners: dict[JoinedTopic, ChannelServer] = {}
        self._waiting_frames = self._waiting_bytes = 0
        self._paused = False
        self._open = True
        self._over = asyncio.Event()
        self._since = time.monotonic()
        self.pubsub.connected(self)
        emit(SocketConnected(transport=wire.carries, vsn=serializer.version))

    # What the wire calls

    def receive(self, data: bytes, *, binary: bool = False) -> None:
        """Take one frame from the client."""
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
            case Deliver(seat, message):
                self._count(1, len(data))
                self._runners[seat].accept(message, len(data))

    def lost(self) -> None:
        """Hear that the client is gone: its channels finish what they were sent, and end."""
        if self._leave(None):
            for runner in tuple(self._runners.values()):
                runner.finish(self._limits.shutdown_timeout)

    # What others call

    def close(self, code: int, reason: str = "") -> None:
        """Close the connection on the server's side: its channels end without a word, and without more work."""
        if self._leave(code):
            self._wire.close(code, reason)
            for runner in tuple(self._runners.values()):
                runner.drop(self._limits.shutdown_timeout)

    def disconnect(self) -> None:
        """Close it so that the client connects anew, and says again who it is."""
        self.close(GOING_AWAY, "disconnect")

    async def over(self) -> None:
        """Wait until it is closed and all its channels have ended."""
        await self._over.wait()

    # What its channels call

    def send(self, frame: Outgoing) -> None:
        """Queue a frame for the client. Bytes for one who cannot read them become an error, or are dropped."""
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
        """Queue a broadcast for the client, in bytes that all clients of its dialect share."""
        if not self._open:
            return
        try:
            self._send(dispatch.encoded(self._serializer))
        except BinaryUnsupportedError:
            self._drop_binary()

    async def writable(self) -> None:
        """Wait until the client has read what it was sent, or is gone."""
        if self._open:
            await self._wire.writable()

    def handled(self, frames: int, size: int) -> None:
        """Count down what its channels have to do, and read on when that is little again."""
        self._count(-frames, -size)

    def ended(self, runner: ChannelServer) -> None:
        """Forget a channel that has ended."""
        self._socket.release(runner.seat)
        del self._runners[runner.seat]
        self._go_if_over()

    # Inside

    def _start(self, start: Start, size: int) -> None:
        replaces = self._runners.get(start.replaces) if start.replaces is not None else None
        if replaces is not None:
            replaces.finish(self._limits.shutdown_timeout, replaced=True)
        runner = ChannelServer(self, start.seat, lambda: self._channel(start), replaces)
        self._runners[start.seat] = runner
        self._count(1, size)
        runner.start(start.join, size)

    def _channel(self, start: Start) -> Channel:
        return self._hub.routes[start.pattern](self._socket, start.seat.topic)

    def _leave(self, code: int | None) -> bool:
        if not self._open:
            return False
        self._open = False
        self.pubsub.disconnected(self)
        duration = time.monotonic() - self._since
        emit(SocketDisconnected(transport=self._wire.carries, code=code, duration_seconds=duration))
        self._go_if_over()
        return True

    def _go_if_over(self) -> None:
        if not self._open and not self._runners:
            self._over.set()
            self._hub.gone(self)

    def _send(self, frame: Encoded) -> None:
        if frame.binary and not self._wire.carries_binary:
            raise BinaryUnsupportedError("this transport carries text only")
        self._wire.send(frame)

    def _drop_binary(self) -> None:
        emit(BinaryDropped(transport=self._wire.carries, vsn=self._serializer.version))

    def _count(self, frames: int, size: int) -> None:
        self._waiting_frames += frames
        self._waiting_bytes += size
        frames_limit, bytes_limit = self._limits.inbox_frames, self._limits.inbox_bytes
        if self._paused:
            if self._waiting_frames <= frames_limit // 2 and self._waiting_bytes <= bytes_limit // 2:
                self._paused = False
                self._wire.resume_receiving()
        elif self._waiting_frames > frames_limit or self._waiting_bytes > bytes_limit:
            self._paused = True
            self._wire.pause_receiving()
