"""Which web pages may open a socket here: a browser names the page's origin, and nothing but this check heeds it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

OriginCheck = bool | Literal["conn"] | Sequence[str]
"""What origins are allowed.

False: any. True: those on the endpoint's own host. "conn": the scheme, host and port that the request itself went to.
A list: of origins such as "https://example.com", or "//example.com" (any scheme and port), or "//*.example.com"
(that host and all below it).
"""

_DEFAULT_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}


@dataclass(frozen=True, slots=True)
class _Place:
    scheme: str
    host: str
    port: int | None


def origin_allowed(origin: str | None, check: OriginCheck, *, own_host: str | None, requested: str) -> bool:
    """Whether a page of this origin may connect. No origin means no browser, and is allowed.

    Args:
        origin: the Origin header.
        check: what is allowed.
        own_host: the endpoint's host, for a check of True.
        requested: the scheme and host that the request went to, such as "https://example.com", for "conn".
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
