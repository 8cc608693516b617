"""HTTP as uvicorn speaks it, but not for ever and not without end: for whoever says too little, or too much.

uvicorn takes a request's head however long it gets, and waits for it however long it takes. A stranger could fill the
memory with the one, and use up the connections with the other, before anybody asks who it is.
"""

import asyncio
from http import HTTPStatus

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class HttpProtocol(HttpToolsProtocol):
    """One connection. The class goes to `uvicorn.Config(http=...)`.

    Attributes:
        head_bytes: over this, a head that has not ended is refused with 431.
        head_seconds: how long a head may take, counted from the connection or from its first byte.
        request_seconds: how long the rest may take: a megabyte over a slow line, say. Answers take as long as they do.
    """

    head_bytes = 64 * 1024
    head_seconds = 20.0
    request_seconds = 120.0

    _deadline: asyncio.TimerHandle | None = None
    _in_head = True
    _heard = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn does
        """Expect a request."""
        super().connection_made(transport)
        self._expect(self.head_seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        """Expect nothing any more."""
        self._expect_nothing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes, unless they are too many for a head."""
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
        super().handle_websocket_upgrade()

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
