"""uvicorn's HTTP protocol with limits on request heads, on the time to receive a request, and on connections.

uvicorn does not limit the length of a request head, nor the time until it is complete. An unauthenticated client could
use up the memory with the former and the connections with the latter. The number of connections per client address is
also limited.
"""

import asyncio
from http import HTTPStatus
from typing import ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from famichat.actions.rate_limit import Address
from famichat.endpoint.http.proxies import Proxies
from famichat.realtime.transport.connection_counter import ConnectionCounter
from famichat.telemetry import emit, events


class HttpProtocol(HttpToolsProtocol):
    """One HTTP connection. Use `http_protocol` to bind it to a server.

    Attributes:
        connection_counter: counts the open HTTP connections per address. WebSockets have their own counter.
        proxies: the trusted reverse proxies. Their connections are not limited, because they carry many clients.
        head_bytes: the maximum size of an incomplete request head; a larger one is refused with 431.
        head_seconds: the time limit for a request head, from the start of the connection or from its first byte.
        request_seconds: the time limit for the body, enough for 1 MB over a slow network. Responses have no limit.
    """

    connection_counter: ClassVar[ConnectionCounter]
    proxies: ClassVar[Proxies]
    head_bytes = 64 * 1024
    head_seconds = 20.0
    request_seconds = 120.0

    _deadline: asyncio.TimerHandle | None = None
    _in_head = True
    _received_bytes = 0
    _counted_address: Address | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn does
        """Accept the connection, or refuse it with 429 if its address has too many."""
        super().connection_made(transport)
        peername = transport.get_extra_info("peername")
        peer = peername[0] if isinstance(peername, tuple) else ""
        if not self.proxies.is_trusted(peer) and not self._count_connection(self.proxies.address(peer, "")):
            emit(events.ConnectionRefused(transport="http", reason="crowded"))
            self._refuse(HTTPStatus.TOO_MANY_REQUESTS)
            return
        self._set_deadline(self.head_seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel the deadline and stop counting the connection."""
        self._clear_deadline()
        self._uncount_connection()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Process received bytes; refuse the request with 431 if its head is too large."""
        if self.transport.is_closing():
            return
        if self._deadline is None:
            self._set_deadline(self.head_seconds)
        self._received_bytes += len(data)
        super().data_received(data)
        if self._in_head and self._received_bytes > self.head_bytes and not self.transport.is_closing():
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)

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
        """Hand the connection over to the WebSocket protocol, which has its own limits."""
        self._clear_deadline()
        self._uncount_connection()
        super().handle_websocket_upgrade()

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
            self.transport.close()

    def _refuse(self, status: HTTPStatus) -> None:
        head = f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        self.transport.write(head.encode())
        self.transport.close()


def http_protocol(proxies: Proxies, per_address_limit: int) -> type[HttpProtocol]:
    """Create the protocol class of one server, for `uvicorn.Config(http=...)`.

    Args:
        proxies: the trusted reverse proxies.
        per_address_limit: the maximum number of open HTTP connections per client address.
    """

    class BoundHttpProtocol(HttpProtocol):
        """An HTTP connection to this server."""

    BoundHttpProtocol.connection_counter, BoundHttpProtocol.proxies = ConnectionCounter(per_address_limit), proxies
    return BoundHttpProtocol
