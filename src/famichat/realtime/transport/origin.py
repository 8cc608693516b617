"""Checks the Origin header, against cross-site WebSocket hijacking: browsers send it but do not enforce it (rule 7)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

OriginCheck = bool | Literal["conn"] | Sequence[str]
"""The allowed origins.

False: any. True: the endpoint's own host. "conn": the scheme, host and port of the request. A list: origins such as
"https://example.com", "//example.com" (any scheme and port) or "//*.example.com" (the host and its subdomains).
"""

_DEFAULT_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}


@dataclass(frozen=True, slots=True)
class _Place:
    scheme: str
    host: str
    port: int | None


def origin_allowed(origin: str | None, check: OriginCheck, *, own_host: str | None, requested: str) -> bool:
    """Return whether a page of this origin may connect. Without an Origin header the client is no browser: allowed.

    Args:
        origin: the Origin header.
        check: the allowed origins.
        own_host: the endpoint's host, for a check of True.
        requested: the scheme and host of the request, such as "https://example.com", for "conn".
    """
    if origin is None or check is False:
        return True
    place = _place(origin)
    if place is None or not place.scheme:
        return False
    if check is True:
        return own_host is not None and place.host == own_host.lower()
    if check == "conn":
        return place == _place(requested)
    return any(_covers(_place(entry), place) for entry in check)


def _place(url: str) -> _Place | None:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if not parts.hostname:
        return None
    return _Place(parts.scheme, parts.hostname, port if port is not None else _DEFAULT_PORTS.get(parts.scheme))


def _covers(entry: _Place | None, place: _Place) -> bool:
    if entry is None:
        return False
    if entry.host.startswith("*."):
        same_host = place.host == entry.host[2:] or place.host.endswith(entry.host[1:])
    else:
        same_host = place.host == entry.host
    return same_host and entry.scheme in ("", place.scheme) and entry.port in (None, place.port)
