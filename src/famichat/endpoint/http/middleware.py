"""ASGI middleware for every HTTP request: limits the size of request bodies and adds security headers."""

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from starlette.exceptions import HTTPException

from famichat.endpoint.http.errors import problem

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


class HttpMiddleware:
    """Limits request bodies, answers HEAD, and adds security headers to responses.

    Args:
        app: the application to wrap.
        unlimited: path prefixes whose handlers limit the body themselves.
        body_limits: path prefixes and their limits in bytes; the first match wins. Others have DEFAULT_REQUEST_BYTES.
        https: whether the server is reachable over HTTPS only. Enables Strict-Transport-Security.
    """

    def __init__(self, app: Asgi, *, unlimited: tuple[str, ...], body_limits: Mapping[str, int], https: bool) -> None:
        self._app = app
        self._unlimited = unlimited
        self._body_limits = body_limits
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
        try:
            await self._app(scope, _with_limit(receive, max_bytes) if limited else receive, send)
        except RequestTooLarge:
            await problem("request_too_large")(scope, receive, send)

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


def _with_limit(receive: Receive, max_bytes: int) -> Receive:
    """Wrap `receive` so that it raises RequestTooLarge once the body exceeds the limit."""
    received = 0

    async def receive_limited() -> MutableMapping[str, Any]:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > max_bytes:
            raise RequestTooLarge
        return message

    return receive_limited
