"""The limit of open files of this process, and the number of connections that fit below it."""

import resource

_WANTED = 65_536
_RESERVED = 256  # the database, its files, the broker, push services and the log
_FILES_PER_CONNECTION = 2  # its socket, and the file that it downloads
MAX_CONNECTIONS = 20_000


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
