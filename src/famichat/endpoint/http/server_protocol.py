"""uvicorn's HTTP protocol with limits on request heads, unread responses, time, and connections.

uvicorn limits neither the length of a request head, nor the number of pipelined requests in one read, nor the time
until a client has sent its request or read its response. An unauthenticated client could use up memory, CPU time and
connections. Connections and unread bytes are limited per client address and in total.
"""

import asyncio
from http import HTTPStatus
from typing import ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from famichat.actions.rate_limit import Address
from famichat.endpoint.http.proxies import Proxies
from famichat.realtime.transport.byte_budget import ByteBudget, HeldBytes
from famichat.realtime.transport.connection_counter import ConnectionCounter
from famichat.realtime.transport.websocket import WebSocketProtocol
from famichat.telemetry import emit, events

_SLICE_BYTES = 4 * 1024
"""Received bytes that are parsed at once: pipelined requests of 18 bytes each take 20 times as much memory."""
_UNCOUNTED_BYTES = 16 * 1024
"""Unread bytes of a response up to which a connection is not counted as slow."""


class HttpProtocol(HttpToolsProtocol):
    """One HTTP connection. Use `http_protocol` to bind it to a server.

    Attributes:
        connection_counter: counts the open HTTP connections per address. WebSockets have their own counter.
        proxies: the trusted reverse proxies. Their connections are not limited, because they carry many clients.
        max_connections: the maximum number of all connections, including WebSockets.
        byte_budget: counts the bytes of responses that clients have not read.
        head_bytes: the maximum size of an incomplete request head; a larger one is refused with 431.
        head_seconds: the time limit for a request head, from the start of the connection or from its first byte.
        request_seconds: the time limit for the body, enough for 1 MB over a slow network.
        send_seconds: the time limit for reading what the server has written, at most one piece of a file (64 KiB) or
            one JSON response. A response may take longer to compute.
        close_seconds: the time limit for reading the rest after the server has closed the connection.
    """

    connection_counter: ClassVar[ConnectionCounter]
    proxies: ClassVar[Proxies]
    max_connections: ClassVar[int]
    byte_budget: ClassVar[ByteBudget]
    head_bytes = 16 * 1024
    head_seconds = 20.0
    request_seconds = 120.0
    send_seconds = 30.0
    close_seconds = 5.0

    _deadline: asyncio.TimerHandle | None = None
    _send_deadline: asyncio.TimerHandle | None = None
    _in_head = True
    _received_bytes = 0
    _upgraded = False
    _counted_address: Address | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn does
        """Accept the connection, or refuse it: with 429 if its address has too many, with 503 if the server has."""
        super().connection_made(transport)
        transport.set_write_buffer_limits(_UNCOUNTED_BYTES)
        self._unparsed = bytearray()
        peername = transport.get_extra_info("peername")
        peer = peername[0] if isinstance(peername, tuple) else ""
        address = None if self.proxies.is_trusted(peer) else self.proxies.address(peer, "")
        self._unread_bytes = HeldBytes(self.byte_budget, address)
        if len(self.connections) > self.max_connections:
            emit(events.ConnectionRefused(transport="http", reason="full"))
            self._refuse(HTTPStatus.SERVICE_UNAVAILABLE)
        elif address is not None and not self._count_connection(address):
            emit(events.ConnectionRefused(transport="http", reason="crowded"))
            self._refuse(HTTPStatus.TOO_MANY_REQUESTS)
        else:
            self._set_deadline(self.head_seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel the deadlines and stop counting the connection and its bytes."""
        self._clear_deadline()
        self._count_unread(0)
        self._uncount_connection()
        self._unparsed.clear()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Process received bytes; refuse the request with 431 if its head is too large."""
        if self.transport.is_closing():
            return
        if self._deadline is None:
            self._set_deadline(self.head_seconds)
        self._unparsed += data
        self._parse()

    def on_response_complete(self) -> None:
        """Parse what was received after a pipelined request."""
        super().on_response_complete()
        self._parse()
        if self.pipeline:
            self.flow.pause_reading()

    def pause_writing(self) -> None:
        """Count the bytes that the client has not read, and start the deadline; disconnect it if there are too many."""
        super().pause_writing()
        self._send_deadline = self.loop.call_later(self.send_seconds, self._on_slow_reader)
        if not self._count_unread(self.transport.get_write_buffer_size()):
            self.loop.call_soon(self._on_slow_reader)

    def resume_writing(self) -> None:
        """Stop counting the bytes, which the client has read."""
        self._count_unread(0)
        super().resume_writing()

    def timeout_keep_alive_handler(self) -> None:
        """Close an idle connection."""
        self._close()

    def on_headers_complete(self) -> None:
        """Start the deadline for the body."""
        self._in_head = False
        self._set_deadline(self.request_seconds)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Cancel the deadline, because the request is complete."""
        super().on_message_complete()
        self._clear_deadline()

    def handle_websocket_upgrade(self) -> None:
        """Hand the connection over to the WebSocket protocol, which has its own limits.

        The connection is counted here until the client is admitted, or disconnected.
        """
        self._clear_deadline()
        self._upgraded = True
        super().handle_websocket_upgrade()
        self._release_parser()
        protocol = self.transport.get_protocol()
        if isinstance(protocol, WebSocketProtocol):
            protocol.on_admitted_or_lost = self._uncount_connection

    def _release_parser(self) -> None:
        """Release the parser, which refers to this object and would keep it until the next garbage collection."""
        del self.parser

    def _parse(self) -> None:
        """Parse the received bytes in slices, and stop while a pipelined request waits for the one before it."""
        while self._unparsed and not self._upgraded and not self.pipeline and not self.transport.is_closing():
            part = bytes(self._unparsed[:_SLICE_BYTES])
            del self._unparsed[:_SLICE_BYTES]
            self._received_bytes += len(part)
            super().data_received(part)
            if self._in_head and self._received_bytes > self.head_bytes and not self.transport.is_closing():
                self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)

    def _count_unread(self, size: int) -> bool:
        """Count this many unread bytes instead of those before. Returns whether the limits are kept."""
        if size == 0 and self._send_deadline is not None:
            self._send_deadline.cancel()
            self._send_deadline = None
        return self._unread_bytes.count(size)

    def _on_slow_reader(self) -> None:
        if not self._unread_bytes.size:
            return  # it has read everything meanwhile
        emit(events.SlowConsumerClosed(queued_frames=0, queued_bytes=self._unread_bytes.size))
        self.transport.abort()

    def _close(self) -> None:
        """Close the connection, even if the client does not read what was already written."""
        self.transport.close()
        self.loop.call_later(self.close_seconds, self.transport.abort)

    def _count_connection(self, address: Address) -> bool:
        if self.connection_counter.is_full(address):
            return False
        self.connection_counter.enter(address)
        self._counted_address = address
        return True

    def _uncount_connection(self) -> None:
        if self._counted_address is not None:
            self.connection_counter.leave(self._counted_address)
            self._counted_address = None

    def _set_deadline(self, seconds: float) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = self.loop.call_later(seconds, self._on_timeout)

    def _clear_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline, self._in_head, self._received_bytes = None, True, 0

    def _on_timeout(self) -> None:
        if self._in_head and self._received_bytes:
            self._refuse(HTTPStatus.REQUEST_TIMEOUT)
        else:  # nothing was received, as with a browser's preconnect, or a response may already have started
            self._close()

    def _refuse(self, status: HTTPStatus) -> None:
        head = f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        self.transport.write(head.encode())
        self._close()


def http_protocol(
    proxies: Proxies, byte_budget: ByteBudget, *, per_address_limit: int, max_connections: int
) -> type[HttpProtocol]:
    """Create the protocol class of one server, for `uvicorn.Config(http=...)`.

    Args:
        proxies: the trusted reverse proxies.
        byte_budget: counts the bytes in flight of this server.
        per_address_limit: the maximum number of open HTTP connections per client address.
        max_connections: the maximum number of all connections.
    """

    class BoundHttpProtocol(HttpProtocol):
        """An HTTP connection to this server."""

    BoundHttpProtocol.connection_counter, BoundHttpProtocol.proxies = ConnectionCounter(per_address_limit), proxies
    BoundHttpProtocol.byte_budget, BoundHttpProtocol.max_connections = byte_budget, max_connections
    return BoundHttpProtocol
