"""Counts the bytes that the server holds for its clients: what it has not handled, and what they have not read."""

from collections import Counter

_MIB = 1024 * 1024


class ByteBudget:
    """Bytes in flight, per client address and in total.

    Args:
        per_address_limit: the most bytes of one address.
        total_limit: the most bytes of all addresses.
    """

    def __init__(self, per_address_limit: int = 16 * _MIB, total_limit: int = 64 * _MIB) -> None:
        self._per_address_limit = per_address_limit
        self._total_limit = total_limit
        self._held: Counter[str] = Counter()
        self.total = 0

    def add(self, address: str | None, size: int) -> bool:
        """Count bytes, and return whether both limits are kept. If not, the caller drops them and calls `remove`.

        Args:
            address: the client address; None for a proxy, which carries many clients and counts in total only.
            size: the number of bytes.
        """
        self.total += size
        if address is None:
            return self.total <= self._total_limit
        self._held[address] += size
        return self.total <= self._total_limit and self._held[address] <= self._per_address_limit

    def remove(self, address: str | None, size: int) -> None:
        """Stop counting bytes. An address without bytes takes no memory."""
        self.total -= size
        if address is not None:
            self._held[address] -= size
            if self._held[address] <= 0:
                del self._held[address]


class HeldBytes:
    """The bytes that one connection holds, counted in a budget.

    Args:
        budget: counts the bytes of all connections.
        address: see `ByteBudget.add`.
    """

    def __init__(self, budget: ByteBudget, address: str | None) -> None:
        self._budget = budget
        self._address = address
        self.size = 0

    def count(self, size: int) -> bool:
        """Count this many bytes instead of those before, and return whether both limits are kept."""
        self._budget.remove(self._address, self.size)
        self.size = size
        return self._budget.add(self._address, size)
