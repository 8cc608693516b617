"""Content negotiation (RFC 9110, section 12.5.3), and compression of responses that the server generates.

Files of the web client are compressed when it is built; `pages.py` chooses the one that a client accepts.
"""

import re
import secrets
import zlib
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any, Final, TypeVar

from starlette.datastructures import Headers, MutableHeaders

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
Endpoint = Callable[..., Any]
_Endpoint = TypeVar("_Endpoint", bound=Endpoint)

MIN_BYTES: Final = 1024
"""Smaller bodies fit into the packet that carries the headers."""
_MAX_BYTES: Final = 1024 * 1024  # a larger one would block the event loop for more than 20 ms
_LEVEL: Final = 5
_GZIP: Final = 31  # the largest window, in gzip format
_MAX_PADDING: Final = 100
_TYPES: Final = re.compile(
    r"application/(?:manifest\+)?json|text/(?:html|css|javascript)|image/svg\+xml",
)
_compressible: Final[set[Endpoint]] = set()


def compressible(endpoint: _Endpoint) -> _Endpoint:
    """Mark the handler of a route whose responses may be compressed; place it below the route's decorator.

    The size of a compressed response reveals whether two parts of it are equal (BREACH). An attacker who chooses one
    part and observes the traffic could guess the other. So do not mark handlers of these responses: tokens and signed
    URLs beside names that other users chose; the list of conversations, in which the last message of one conversation
    is beside those of all others; audit logs, which contain addresses beside the names of devices.
    """
    _compressible.add(endpoint)
    return endpoint


def is_compressible(endpoint: Endpoint | None) -> bool:
    """Return whether the handler of a route is marked as `compressible`."""
    return getattr(endpoint, "__func__", endpoint) in _compressible


def preferred(accept_encoding: str, available: Iterable[str]) -> str | None:
    """Return the best of the available content codings; None for an uncompressed response.

    Args:
        accept_encoding: the header of the request; empty if it has none.
        available: names of codings, the best one first, which wins between equal weights.
    """
    weights: dict[str, float] = {}
    for part in accept_encoding.lower().split(","):
        name, _, parameter = part.partition(";")
        weights[name.strip()] = _weight(parameter)
    best, best_weight = None, 0.0
    for name in available:
        weight = weights.get(name, weights.get("*", 0.0))
        if weight > best_weight:
            best, best_weight = name, weight
    return best if best_weight >= weights.get("identity", 0.0) else None


def _weight(parameter: str) -> float:
    key, _, value = parameter.partition("=")
    if not key.strip():
        return 1.0
    weight = re.fullmatch(r"0(?:\.\d{0,3})?|1(?:\.0{0,3})?", value.strip())
    return float(weight[0]) if key.strip() == "q" and weight else 0.0


def compressing(scope: Scope, send: Send) -> Send:
    """Return a `send` that compresses a response if its route is `compressible`, and it is text and large enough.

    Args:
        scope: the request as the application gets it, which adds the route's `endpoint`.
        send: sends the response.
    """
    coding = preferred(Headers(scope=scope).get("accept-encoding", ""), ["gzip"])
    padding = _MAX_PADDING if scope["path"].startswith("/api/v1/") else 0
    return _Compressor(scope, coding, send, max_padding=padding).send


class _Compressor:
    """Holds the start of one response until its body shows whether to compress it.

    Args:
        scope: see `compressing`.
        coding: "gzip", or None if the client does not accept it.
        send: sends the response.
        max_padding: see `_gzip`.
    """

    def __init__(self, scope: Scope, coding: str | None, send: Send, max_padding: int) -> None:
        self._scope = scope
        self._coding = coding
        self._send = send
        self._max_padding = max_padding
        self._start: Message | None = None

    async def send(self, message: Message) -> None:
        """Pass on a part of the response."""
        if message["type"] == "http.response.start" and self._may_compress(message):
            self._start = message
            return
        if self._start is not None:
            start, self._start = self._start, None
            message = self._compressed(start, message)
            await self._send(start)
        await self._send(message)

    def _may_compress(self, start: Message) -> bool:
        return is_compressible(self._scope.get("endpoint")) and _is_text(start)

    def _compressed(self, start: Message, message: Message) -> Message:
        """Compress the body, and describe it in the headers of the start."""
        body = message.get("body", b"")
        if message.get("more_body") or not MIN_BYTES <= len(body) <= _MAX_BYTES:
            return message
        headers = MutableHeaders(scope=start)
        headers.add_vary_header("Accept-Encoding")
        if self._coding is None:
            return message
        body = _gzip(body, self._max_padding)
        headers["content-encoding"], headers["content-length"] = self._coding, str(len(body))
        return {**message, "body": body}


def _is_text(start: Message) -> bool:
    headers = Headers(raw=start["headers"])
    is_encoded = "content-encoding" in headers or "etag" in headers or "content-range" in headers
    return not is_encoded and _TYPES.match(headers.get("content-type", "")) is not None


def _gzip(body: bytes, max_padding: int) -> bytes:
    """Compress a body, and add up to `max_padding` bytes at random: BREACH then needs many times as many requests.

    The padding is a file name in the gzip header (RFC 1952, section 2.3), which clients skip. Django does the same;
    see "Heal The Breach", https://ieeexplore.ieee.org/document/9754554.
    """
    compressor = zlib.compressobj(_LEVEL, wbits=_GZIP)
    data = compressor.compress(body) + compressor.flush()
    if max_padding == 0:
        return data
    padding = b"a" * secrets.randbelow(max_padding + 1)
    return data[:3] + b"\x08" + data[4:10] + padding + b"\0" + data[10:]
