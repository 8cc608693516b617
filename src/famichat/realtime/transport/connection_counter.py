"""Counts open connections per client address or user, so that one of them cannot use up the connection limit."""

from collections import Counter


class ConnectionCounter:
    """Counts open connections per client address, or per user.

    Args:
        per_address_limit: the most connections of one address.
    """

    def __init__(self, per_address_limit: int) -> None:
        self._per_address_limit = per_address_limit
        self._open: Counter[str] = Counter()

    def is_full(self, address: str) -> bool:
        """Return whether an address has reached the limit."""
        return self._open[address] >= self._per_address_limit

    def enter(self, address: str) -> None:
        """Count a new connection."""
        self._open[address] += 1

    def leave(self, address: str) -> None:
        """Count a closed connection. An address without connections takes no memory."""
        self._open[address] -= 1
        if self._open[address] <= 0:
            del self._open[address]
