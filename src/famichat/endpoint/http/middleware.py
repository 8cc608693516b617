"""ASGI middleware for every HTTP request: limits request bodies, compresses responses and adds security headers."""

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from starlette.exceptions import HTTPException

from famichat.endpoint.http.compression import compressing
from famichat.endpoint.http.errors import problem, too_much_in_flight
from famichat.endpoint.http.proxies import Proxies
from famichat.realtime.transport.byte_budget import ByteBudget

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]

MAX_REQUEST_BYTES = 1024 * 1024
"""The limit of a route that accepts messages. Routes with files have larger limits, all others smaller ones."""
DEFAULT_REQUEST_BYTES = 4 * 1024
"""Enough for a user name and the longest password."""

# From the OWASP Secure Headers Project. Each page sets its own Content-Security-Policy.
SECURITY_HEADERS = {
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"cross-origin-opener-policy": b"same-origin",
    b"cross-origin-resource-policy": b"same-origin",
    b"x-frame-options": b"DENY",
    b"permissions-policy": b"camera=(self), microphone=(self), geolocation=()",
}
_API_PREFIX = "/api/"
# RFC 9111, section 5.2.2.5: responses of the API contain personal data, which must not stay on disk after a sign-out.
_API_HEADERS = {b"cache-control": b"no-store"}


class RequestTooLarge(HTTPException):
    """The request body exceeds the limit.

    It is an HTTPException because FastAPI passes those through unchanged when it reads a body.
    """

    def __init__(self) -> None:
        super().__init__(413)


class TooMuchInFlight(HTTPException):
    """The request bodies that the server holds for this address, or for all addresses, exceed the limit."""

    def __init__(self) -> None:
        super().__init__(429)


class HttpMiddleware:
    """Limits request bodies, answers HEAD, compresses responses, and adds security headers to them.

    Args:
        app: the application to wrap.
        unlimited: path prefixes whose handlers limit the body themselves.
        streamed: path prefixes whose handlers do not keep the body in memory.
        body_limits: path prefixes and their limits in bytes; the first match wins. Others have DEFAULT_REQUEST_BYTES.
        byte_budget: counts the bytes of the other request bodies until the response is complete.
        proxies: the trusted reverse proxies.
        https: whether the server is reachable over HTTPS only. Enables Strict-Transport-Security.
    """

    def __init__(
        self,
        app: Asgi,
        *,
        unlimited: tuple[str, ...],
        streamed: tuple[str, ...],
        body_limits: Mapping[str, int],
        byte_budget: ByteBudget,
        proxies: Proxies,
        https: bool,
    ) -> None:
        self._app = app
        self._unlimited = unlimited
        self._streamed = streamed
        self._body_limits = body_limits
        self._byte_budget = byte_budget
        self._proxies = proxies
        self._headers = dict(SECURITY_HEADERS)
        if https:
            self._headers[b"strict-transport-security"] = b"max-age=31536000"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request. Scopes other than HTTP pass through unchanged."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limited = not scope["path"].startswith(self._unlimited)
        max_bytes = self._max_bytes(scope["path"])
        send = self._with_headers(send, _API_HEADERS if scope["path"].startswith(_API_PREFIX) else {})
        if limited and _content_length(scope) > max_bytes:
            await problem("request_too_large")(scope, receive, send)
            return
        if limited and scope["method"] == "HEAD":
            scope = {**scope, "method": "GET"}  # uvicorn knows the original method and omits the body
        send = compressing(scope, send)
        address = self._address(scope)
        counted = not scope["path"].startswith(self._streamed)
        body = _Body(
            receive,
            max_bytes if limited else None,
            count=(lambda size: self._byte_budget.add(address, size)) if counted else None,
        )
        try:
            await self._app(scope, body.receive, send)
        except RequestTooLarge:
            await problem("request_too_large")(scope, receive, send)
        except TooMuchInFlight:
            await too_much_in_flight()(scope, receive, send)
        finally:
            self._byte_budget.remove(address, body.counted_bytes)

    def _address(self, scope: Scope) -> str:
        peer = scope["client"][0] if scope["client"] else None
        forwarded_for = [value for name, value in scope["headers"] if name == b"x-forwarded-for"]
        return self._proxies.address(peer, b",".join(forwarded_for).decode("latin-1"))

    def _max_bytes(self, path: str) -> int:
        limits = (limit for prefix, limit in self._body_limits.items() if path.startswith(prefix))
        return next(limits, DEFAULT_REQUEST_BYTES)

    def _with_headers(self, send: Send, more: Mapping[bytes, bytes]) -> Send:
        headers = {**self._headers, **more}

        async def send_with_headers(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                present = {name.lower() for name, _ in message["headers"]}
                missing = [(name, value) for name, value in headers.items() if name not in present]
                message = {**message, "headers": [*message["headers"], *missing]}
            await send(message)

        return send_with_headers


def _content_length(scope: Scope) -> int:
    """Return the Content-Length header; 0 if it is missing or malformed, as with chunked requests."""
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value)
    return 0


class _Body:
    """The body of a request while it is received.

    Args:
        receive: receives the next part of the request.
        max_bytes: the limit of the route; None if its handler limits the body.
        count: counts received bytes, and returns whether there is room for them; None if they are not counted.

    Attributes:
        counted_bytes: the number of bytes passed to `count`.
    """

    def __init__(self, receive: Receive, max_bytes: int | None, count: Callable[[int], bool] | None) -> None:
        self._receive = receive
        self._max_bytes = max_bytes
        self._count = count
        self._received = self.counted_bytes = 0

    async def receive(self) -> MutableMapping[str, Any]:
        """Receive the next part.

        Raises:
            RequestTooLarge: the body exceeds the limit.
            TooMuchInFlight: there is no room for it.
        """
        message = await self._receive()
        size = len(message.get("body", b""))
        self._received += size
        if self._max_bytes is not None and self._received > self._max_bytes:
            raise RequestTooLarge
        if self._count is not None:
            self.counted_bytes += size
            if not self._count(size):
                raise TooMuchInFlight
        return message
