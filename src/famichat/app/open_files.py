"""The limit of open files of this process, and the limits of connections that fit below it."""

import resource

from famichat.realtime.transport.limits import Limits
from famichat.settings import Settings

_WANTED = 65_536
_RESERVED = 256  # the database, its files, the broker, push services and the log
_FILES_PER_CONNECTION = 2  # its socket, and the file that it downloads
MAX_CONNECTIONS = 20_000
# The largest valid frame: a body of 64 KiB in which every character is escaped, plus the envelope around it.
MAX_FRAME_BYTES = 1024 * 1024


def raise_limit() -> None:
    """Raise the soft limit of open files. Many systems set it to 1,024, for programs that use select(2)."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _WANTED if hard == resource.RLIM_INFINITY else min(_WANTED, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def connection_limit() -> int:
    """Return how many connections the limit of open files allows, at most MAX_CONNECTIONS."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return MAX_CONNECTIONS
    return max(1, min(MAX_CONNECTIONS, (soft - _RESERVED) // _FILES_PER_CONNECTION))


def transport_limits(settings: Settings) -> Limits:
    """Return the limits of frames and connections.

    One address can hold `max_per_address` WebSockets and as many HTTP connections, together at most half of all.
    """
    max_connections = connection_limit()
    return Limits(
        max_frame_bytes=MAX_FRAME_BYTES,
        max_connections=max_connections,
        max_per_address=max(1, min(settings.connections_per_address, max_connections // 4)),
    )
