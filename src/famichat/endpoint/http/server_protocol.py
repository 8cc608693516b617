"""HTTP as uvicorn speaks it, but not for ever and not without end: for whoever says too little, or too much.

uvicorn takes a request's head however long it gets, and waits for it however long it takes. A stranger could fill the
memory with the one, and use up the connections with the other, before anybody asks who it is. Nor may one address
hold more lines than a large household needs.
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
    """One connection. Use `http_protocol` to bind it to the crowd and the proxies of a server.

    Attributes:
        crowd: the lines that are open, by address; those that became WebSockets are counted where they are now.
        proxies: may hold as many lines as they like, because others are behind them.
        head_bytes: over this, a head that has not ended is refused with 431.
        head_seconds: how long a head may take, counted from the connection or from its first byte.
        request_seconds: how long the rest may take: a megabyte over a slow line, say. Answers take as long as they do.
    """

    crowd: ClassVar[ConnectionCounter]
    proxies: ClassVar[Proxies]
    head_bytes = 64 * 1024
    head_seconds = 20.0
    request_seconds = 120.0

    _deadline: asyncio.TimerHandle | None = None
    _in_head = True
    _heard = 0
    _counted_as: Address | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn does
        """Expect a request, unless too many are expected from there."""
        super().connection_made(transport)
        peername = transport.get_extra_info("peername")
        peer = peername[0] if isinstance(peername, tuple) else ""
        if not self.proxies.trust(peer) and not self._count(self.proxies.address(peer, "")):
            emit(events.ConnectionRefused(transport="http", reason="crowded"))
            self._refuse(HTTPStatus.TOO_MANY_REQUESTS)
            return
        self._expect(self.head_seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        """Expect nothing any more."""
        self._expect_nothing()
        self._count_out()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes, unless they are too many for a head, or nothing is taken from there."""
        if self.transport.is_closing():
            return
        if self._deadline is None:
            self._expect(self.head_seconds)
        self._heard += len(data)
        super().data_received(data)
        if self._in_head and self._heard > self.head_bytes and not self.transport.is_closing():
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)

    def on_headers_complete(self) -> None:
        """Hear that the head is whole."""
        self._in_head = False
        self._expect(self.request_seconds)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Hear that the request is whole: now it is the server's turn."""
        super().on_message_complete()
        self._expect_nothing()

    def handle_websocket_upgrade(self) -> None:
        """Hand the connection on; from now on another protocol watches it."""
        self._expect_nothing()
        self._count_out()
        super().handle_websocket_upgrade()

    def _count(self, address: Address) -> bool:
        if self.crowd.is_full(address):
            return False
        self.crowd.enter(address)
        self._counted_as = address
        return True

    def _count_out(self) -> None:
        if self._counted_as is not None:
            self.crowd.leave(self._counted_as)
            self._counted_as = None

    def _expect(self, seconds: float) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = self.loop.call_later(seconds, self._give_up)

    def _expect_nothing(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline, self._in_head, self._heard = None, True, 0

    def _give_up(self) -> None:
        if self._in_head and self._heard:
            self._refuse(HTTPStatus.REQUEST_TIMEOUT)
        else:  # it never said anything, which browsers do; or an answer may be under way already
            self.transport.close()

    def _refuse(self, status: HTTPStatus) -> None:
        head = f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        self.transport.write(head.encode())
        self.transport.close()


def http_protocol(proxies: Proxies, per_address: int) -> type[HttpProtocol]:
    """Make the protocol class of one server, for `uvicorn.Config(http=...)`."""

    class BoundHttpProtocol(HttpProtocol):
        """A connection to this server."""

    BoundHttpProtocol.crowd, BoundHttpProtocol.proxies = ConnectionCounter(per_address), proxies
    return BoundHttpProtocol
