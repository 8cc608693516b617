"""What every HTTP request passes: a limit on what it may bring, and headers on what it gets."""

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from starlette.exceptions import HTTPException

from famichat.endpoint.http.errors import problem

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]

MAX_REQUEST_BYTES = 1024 * 1024

# Of the OWASP secure headers; pages add their Content-Security-Policy themselves.
SECURITY_HEADERS = {
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"cross-origin-opener-policy": b"same-origin",
    b"cross-origin-resource-policy": b"same-origin",
    b"x-frame-options": b"DENY",
    b"permissions-policy": b"camera=(self), microphone=(self), geolocation=()",
}


class TooLarge(HTTPException):
    """The request brings more than the server takes. Of the framework's kind, so that it passes through it."""

    def __init__(self) -> None:
        super().__init__(413)


class RequestGuard:
    """Wraps the application.

    Args:
        app: what answers the requests.
        unlimited: path prefixes that limit what they take themselves.
        large: path prefixes that may bring more than others, and how many bytes.
        https: whether people reach the server over HTTPS only, so that browsers may insist on it.
    """

    def __init__(
        self, app: Asgi, *, unlimited: tuple[str, ...], large: Mapping[str, int] | None = None, https: bool
    ) -> None:
        self._app = app
        self._unlimited = unlimited
        self._large = large or {}
        self._headers = dict(SECURITY_HEADERS)
        if https:
            self._headers[b"strict-transport-security"] = b"max-age=31536000"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limited = not scope["path"].startswith(self._unlimited)
        most = self._most(scope["path"])
        if limited and _announced(scope) > most:
            await problem("request_too_large")(scope, receive, self._with_headers(send))
            return
        if limited and scope["method"] == "HEAD":
            scope = {**scope, "method": "GET"}  # the server leaves the body out: it knows what was asked
        try:
            await self._app(scope, _counted(receive, most) if limited else receive, self._with_headers(send))
        except TooLarge:
            await problem("request_too_large")(scope, receive, self._with_headers(send))

    def _most(self, path: str) -> int:
        return next((most for prefix, most in self._large.items() if path.startswith(prefix)), MAX_REQUEST_BYTES)

    def _with_headers(self, send: Send) -> Send:
        async def send_with_headers(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                given = {name.lower() for name, _ in message["headers"]}
                missing = [(name, value) for name, value in self._headers.items() if name not in given]
                message = {**message, "headers": [*message["headers"], *missing]}
            await send(message)

        return send_with_headers


def _announced(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value)
    return 0


def _counted(receive: Receive, most: int) -> Receive:
    received = 0

    async def receive_counted() -> MutableMapping[str, Any]:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > most:
            raise TooLarge
        return message

    return receive_counted
