"""How many are in at once, by where they come from, so that one address does not take the room of all others."""

from collections import Counter


class ConnectionCounter:
    """Counts who is in.

    Args:
        most: so many may be in from one address.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._inside: Counter[str] = Counter()

    def is_full(self, address: str) -> bool:
        """Whether nobody more may come in from there."""
        return self._inside[address] >= self._most

    def enter(self, address: str) -> None:
        """Count somebody in."""
        self._inside[address] += 1

    def leave(self, address: str) -> None:
        """Count somebody out; an address that nobody is in from takes no room."""
        self._inside[address] -= 1
        if self._inside[address] <= 0:
            del self._inside[address]
