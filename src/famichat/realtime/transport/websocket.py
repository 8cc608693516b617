"""The WebSocket transport: a protocol class for uvicorn's `ws=` (RFC 6455).

The sans-I/O `ServerProtocol` of `websockets` parses and builds frames, except those of most messages, for which
`frames.py` is faster. This module does the I/O: handshake, reading and back-pressure, the outbox, the idle timeout, and
the closing handshake or an abort.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from http import HTTPStatus
from typing import Any, ClassVar, Protocol, cast
from urllib.parse import unquote

from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import State
from websockets.server import ServerProtocol

from famichat.realtime.channel import JoinRefused
from famichat.realtime.events import ChannelFailed, FrameRejected, OutboxOverflowed, emit
from famichat.realtime.serializer import Encoded
from famichat.realtime.transport import query
from famichat.realtime.transport.byte_budget import HeldBytes
from famichat.realtime.transport.connection import PROTOCOL_ERROR, SERVICE_RESTART, SLOW_CONSUMER, Connection
from famichat.realtime.transport.endpoint import (
    RETRY_AFTER,
    Admitted,
    ConnectRequest,
    Endpoint,
    Pace,
    TooManyConnections,
    Unavailable,
    read_offer,
)
from famichat.realtime.transport.frames import build_frame, read_text_frame
from famichat.realtime.transport.outbox import Outbox

_SLICE_BYTES = 4 * 1024

# At debug level the library logs request lines, which may contain tokens.
_logger = logging.getLogger("famichat.realtime.websocket")
_logger.setLevel(logging.WARNING)


class ServerState(Protocol):
    """The state that uvicorn shares with its protocols: it waits for these when it shuts down."""

    connections: set[Any]
    tasks: set["asyncio.Task[None]"]


class WebSocketProtocol(asyncio.Protocol):
    """One WebSocket. Use `websocket_protocol` to bind it to an endpoint."""

    endpoint: ClassVar[Endpoint]
    name = "websocket"
    carries_binary = True

    def __init__(self, config: object, server_state: ServerState, app_state: object, _loop: object = None) -> None:
        # uvicorn passes arguments that are not needed here.
        del config, app_state, _loop
        limits = self.endpoint.limits
        self._limits = limits
        self._server_state = server_state
        self._loop = asyncio.get_running_loop()
        self._ws = ServerProtocol(max_size=limits.max_frame_bytes, logger=_logger)
        self._connection: Connection | None = None
        self._fragments: list[bytes] = []
        self._fragments_binary = False
        self._unparsed = bytearray()
        # A list, because an empty deque takes 760 bytes, and a slice has only a few hundred frames.
        self._frames: list[Frame] = []
        self._handling = False
        self._received_bytes: HeldBytes | None = None
        self._unread_bytes: HeldBytes | None = None
        self._pace: Pace = lambda _size: 0.0
        self._pace_timer: asyncio.TimerHandle | None = None
        self._last_received_at = self._loop.time()
        self._incomplete_since: float | None = None
        self._idle_timer: asyncio.TimerHandle | None = None
        self._abort_timer: asyncio.TimerHandle | None = None
        self._receiving = True
        self.on_admitted_or_lost: Callable[[], None] | None = None

    # Called by the event loop and by uvicorn

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take over a connection from uvicorn's HTTP protocol, which then passes the request to `data_received`."""
        self._transport = cast("asyncio.Transport", transport)
        self._outbox = Outbox(self._transport, self._limits, self._overflow, self._count_unread)
        self._server_state.connections.add(self)

    def data_received(self, data: bytes) -> None:
        """Process bytes of the client."""
        self._last_received_at = self._loop.time()
        self._unparsed += data
        self._handle_received()

    def eof_received(self) -> None:
        """Handle the end of the client's stream."""
        self._ws.receive_eof()
        self._write_protocol()

    def connection_lost(self, exc: Exception | None) -> None:
        """Handle the loss of the TCP connection."""
        self._server_state.connections.discard(self)
        self._admitted_or_lost()
        for timer in (self._idle_timer, self._abort_timer, self._pace_timer):
            if timer is not None:
                timer.cancel()
        self._unparsed.clear()
        self._frames.clear()
        self._fragments.clear()
        self._count_held()
        self._outbox.clear()
        self._outbox.resume()
        if self._connection is not None:
            self._connection.lost()

    def pause_writing(self) -> None:
        """Stop writing: the socket buffer is full."""
        self._outbox.pause()

    def resume_writing(self) -> None:
        """Write again: the socket buffer has room."""
        self._outbox.resume()

    def shutdown(self) -> None:
        """Close the connection because uvicorn shuts down (rule 39)."""
        if self._connection is not None:
            self._connection.close(SERVICE_RESTART, "server restart")
        elif self._ws.state is State.CONNECTING:
            self._reject(HTTPStatus.SERVICE_UNAVAILABLE)

    # Called by the connection

    def send(self, frame: Encoded) -> None:
        """Queue a frame for the client."""
        if self._ws.state is not State.OPEN:
            return
        if frame.websocket_frame is None:
            frame.websocket_frame = build_frame(frame.data, binary=frame.binary)
        self._outbox.put(frame.websocket_frame)

    def close(self, code: int, reason: str) -> None:
        """Start the closing handshake, after all queued frames."""
        if self._ws.state is State.OPEN:
            self._ws.send_close(code, reason)
            self._write_protocol()
            self._outbox.flush()
            self._abort_later()
            self._pace = lambda _size: 0.0
            self._stop_waiting()
            self.resume_receiving()  # to receive the client's close frame

    def pause_receiving(self) -> None:
        """Stop reading, for back-pressure."""
        self._receiving = False
        if not self._transport.is_closing():
            self._transport.pause_reading()

    def resume_receiving(self) -> None:
        """Read again, and handle what was received before the pause."""
        self._receiving = True
        self._last_received_at = self._loop.time()
        self._read_again()

    async def writable(self) -> None:
        """Wait until the client has read enough of its queued frames, or has disconnected."""
        await self._outbox.writable()

    # The handshake

    def _requested(self, request: Request) -> None:
        # Frames that a client sends before it is admitted must not be processed.
        self.pause_receiving()
        task = self._loop.create_task(self._handshake(request))
        self._server_state.tasks.add(task)
        task.add_done_callback(self._server_state.tasks.discard)

    async def _handshake(self, request: Request) -> None:
        try:
            connect_request, subprotocol = self._read_request(request)
            admitted = await self.endpoint.admit(connect_request, self.name)
        except _RejectedError as rejected:
            self._reject(rejected.status)
        except TooManyConnections:
            self._reject(HTTPStatus.TOO_MANY_REQUESTS)
        except Unavailable:
            self._reject(HTTPStatus.SERVICE_UNAVAILABLE)
        except JoinRefused:
            self._reject(HTTPStatus.FORBIDDEN)
        except Exception as fault:  # noqa: BLE001 - a bug of the application; the client gets the status only
            emit(ChannelFailed(stage="connect", error_type=type(fault).__name__, where="connect"))
            self._reject(HTTPStatus.INTERNAL_SERVER_ERROR)
        else:
            self._accept(request, admitted, subprotocol)

    def _read_request(self, request: Request) -> tuple[ConnectRequest, str | None]:
        path, _, query_string = request.path.partition("?")
        if unquote(path).rstrip("/") != f"{self.endpoint.path}/websocket":
            raise _RejectedError(HTTPStatus.NOT_FOUND)
        if request.method != "GET":
            raise _RejectedError(HTTPStatus.BAD_REQUEST)
        try:
            params = query.parse(query_string)
        except ValueError:
            raise _RejectedError(HTTPStatus.BAD_REQUEST) from None
        headers = {name.lower(): ", ".join(request.headers.get_all(name)) for name in request.headers}
        peer = self._transport.get_extra_info("peername")
        connect_request = ConnectRequest(
            params,
            headers,
            peer=peer[0] if isinstance(peer, tuple) else None,
            secure=self._transport.get_extra_info("sslcontext") is not None,
        )
        self.endpoint.check_origin(connect_request, self.name)
        offered = headers.get("sec-websocket-protocol", "")
        offer = read_offer([entry.strip() for entry in offered.split(",") if entry.strip()])
        return replace(connect_request, token=offer.token), offer.subprotocol

    def _accept(self, request: Request, admitted: Admitted, subprotocol: str | None) -> None:
        if self._transport.is_closing():
            return
        # The upgrade is validated last, so a client that is refused learns nothing else (rule 2).
        response = self._ws.accept(request)
        if response.status_code != HTTPStatus.SWITCHING_PROTOCOLS:
            self._reject(HTTPStatus.BAD_REQUEST)
            return
        if subprotocol is not None:
            response.headers["Sec-WebSocket-Protocol"] = subprotocol
        self._ws.send_response(response)
        self._write_protocol()
        # The parser keeps the request as long as the connection: 3 KB, and the access token.
        request.headers.clear()
        request.path = ""
        self._received_bytes = HeldBytes(self.endpoint.byte_budget, admitted.address)
        self._unread_bytes = HeldBytes(self.endpoint.byte_budget, admitted.address)
        self._pace = admitted.pace
        self._connection = self.endpoint.open(admitted, self)
        self._admitted_or_lost()
        self.resume_receiving()
        self._check_idle()

    def _admitted_or_lost(self) -> None:
        callback, self.on_admitted_or_lost = self.on_admitted_or_lost, None  # it may refer to a large object
        if callback is not None:
            callback()

    def _reject(self, status: HTTPStatus) -> None:
        if self._ws.state is State.CONNECTING and not self._transport.is_closing() and not self._ws.eof_sent:
            response = self._ws.reject(status, "")
            if status in {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}:
                response.headers["Retry-After"] = RETRY_AFTER
            self._ws.send_response(response)
            self._write_protocol()

    # Frames

    def _handle_received(self) -> None:
        """Handle what was received, slice by slice, until everything is handled or reading is paused.

        One read may contain tens of thousands of small frames. To parse them all at once would delay other clients.
        """
        if self._handling:
            return
        self._handling = True
        while (self._frames or self._unparsed) and self._receiving and self._pace_timer is None:
            if self._frames:
                self._handle_frame()
            elif not self._parse_text_frame():
                self._parse_slice()
        self._handling = False
        self._count_held()
        if self._ws.state in (State.CLOSING, State.CLOSED) and not self._frames:
            self._client_gone()

    def _parse_text_frame(self) -> bool:
        """Parse the next frame if it is a whole text frame, and the library has no other frame or message begun."""
        ws = self._ws
        if ws.state is not State.OPEN or ws.expect_continuation_frame or ws.reader.buffer:
            return False
        found = read_text_frame(self._unparsed, self._limits.max_frame_bytes)
        if found is None:
            return False
        payload, size = found
        del self._unparsed[:size]
        self._frames.append(Frame(Opcode.TEXT, payload))
        return True

    def _parse_slice(self) -> None:
        part = bytes(self._unparsed[:_SLICE_BYTES])
        del self._unparsed[:_SLICE_BYTES]
        self._ws.receive_data(part)
        self._write_protocol()
        for event in self._ws.events_received():
            if isinstance(event, Frame):
                self._frames.append(event)
            elif isinstance(event, Request):
                self._requested(event)

    def _handle_frame(self) -> None:
        """Handle the next frame, or stop reading until the client may send it."""
        wait = self._pace(len(self._frames[0].data))
        if wait > 0:
            self._pace_timer = self._loop.call_later(wait, self._stop_waiting)
            if not self._transport.is_closing():
                self._transport.pause_reading()
            return
        self._frame_received(self._frames.pop(0))

    def _stop_waiting(self) -> None:
        if self._pace_timer is not None:
            self._pace_timer.cancel()
            self._pace_timer = None
            self._last_received_at = self._loop.time()
            self._read_again()

    def _read_again(self) -> None:
        if self._receiving and self._pace_timer is None and not self._transport.is_closing():
            self._transport.resume_reading()
            self._handle_received()

    def _count_held(self) -> None:
        """Count the bytes of incomplete and unhandled frames. Disconnect the client if there are too many."""
        held = len(self._unparsed) + len(self._ws.reader.buffer)
        held += sum(map(len, self._fragments)) + sum(len(frame.data) for frame in self._frames)
        if self._received_bytes is None or held == self._received_bytes.size:
            return
        if held == 0:
            self._incomplete_since = None
        elif self._incomplete_since is None:
            self._incomplete_since = self._loop.time()
        if not self._received_bytes.count(held):
            emit(FrameRejected(reason="too many bytes in flight", size_bytes=held))
            self._fail(CloseCode.TRY_AGAIN_LATER, "too many bytes in flight")
            self._client_gone()

    def _frame_received(self, frame: Frame) -> None:
        if frame.opcode is Opcode.CLOSE:
            self._client_gone()
        elif frame.opcode is Opcode.TEXT or frame.opcode is Opcode.BINARY:
            self._fragments = [bytes(frame.data)]
            self._fragments_binary = frame.opcode is Opcode.BINARY
        elif frame.opcode is Opcode.CONT:
            self._fragments.append(bytes(frame.data))
            if len(self._fragments) > self._limits.max_fragments:
                self._fail(CloseCode.MESSAGE_TOO_BIG, "too many fragments")
                return
        else:
            return  # a ping, which `receive_data` has already answered, or a pong
        if frame.fin and frame.opcode is not Opcode.CLOSE:
            self._message_received()

    def _message_received(self) -> None:
        fragments, self._fragments = self._fragments, []
        self._incomplete_since = None
        data = fragments[0] if len(fragments) == 1 else b"".join(fragments)
        if not self._fragments_binary and not _is_utf8(data):
            self._fail(CloseCode.INVALID_DATA, "not UTF-8")
        elif self._connection is not None:
            self._connection.receive(data, binary=self._fragments_binary)

    def _fail(self, code: CloseCode, reason: str) -> None:
        if self._ws.state is State.OPEN:
            self._ws.fail(code, reason)
            self._write_protocol()

    def _client_gone(self) -> None:
        if self._connection is not None:
            self._connection.lost()

    # Writing, and the end

    def _write_protocol(self) -> None:
        """Queue the data of the WebSocket protocol. An empty item marks the end of the stream."""
        for data in self._ws.data_to_send():
            if data:
                self._outbox.put(data)
                continue
            self._outbox.flush()
            if self._transport.can_write_eof():
                # To close the socket at once could reset the connection before the client has read the close frame.
                self._transport.write_eof()
                self._abort_later()
                self.resume_receiving()
            else:
                self._transport.close()

    def _count_unread(self, size: int) -> bool:
        return self._unread_bytes is None or self._unread_bytes.count(size)

    def _overflow(self) -> None:
        frames, size = self._outbox.frames, self._outbox.size
        self._outbox.clear()
        if self._connection is None or self._ws.state is not State.OPEN:
            self._transport.abort()
            return
        emit(OutboxOverflowed(queued_frames=frames, queued_bytes=size))
        self._connection.close(SLOW_CONSUMER, "slow_consumer")

    def _abort_later(self) -> None:
        if self._abort_timer is None:
            self._abort_timer = self._loop.call_later(self._limits.close_timeout, self._transport.abort)

    def _check_idle(self) -> None:
        now = self._loop.time()
        if not self._receiving or self._pace_timer is not None:
            self._last_received_at = now  # the server itself has paused reading
            self._incomplete_since = None
        left = self._last_received_at + self._limits.idle_timeout - now
        if self._incomplete_since is not None:
            left = min(left, self._incomplete_since + self._limits.frame_timeout - now)
        if left > 0:
            self._idle_timer = self._loop.call_later(left, self._check_idle)
        elif self._connection is not None:
            self._connection.close(PROTOCOL_ERROR, "idle")


class _RejectedError(Exception):
    """The request is rejected with this HTTP status."""

    def __init__(self, status: HTTPStatus) -> None:
        super().__init__(status)
        self.status = status


def websocket_protocol(endpoint: Endpoint) -> type[WebSocketProtocol]:
    """Return the protocol class that serves an endpoint, for `uvicorn.Config(ws=...)`."""

    class BoundWebSocketProtocol(WebSocketProtocol):
        """A WebSocket of this endpoint."""

    BoundWebSocketProtocol.endpoint = endpoint
    return BoundWebSocketProtocol


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
