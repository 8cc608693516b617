"""How long to wait between attempts: the schedules of Phoenix's JavaScript client, with jitter."""

import random
from collections.abc import Sequence
from typing import Final

RECONNECT: Final = (0.01, 0.05, 0.1, 0.15, 0.2, 0.25, 0.5, 1.0, 2.0, 5.0)
"""Seconds before each attempt to open a socket (`reconnectAfterMs`)."""

REJOIN: Final = (1.0, 2.0, 5.0, 10.0)
"""Seconds before each attempt to join a channel, or to repeat a request that was refused for now (`rejoinAfterMs`)."""

JITTER: Final = 0.25


class Backoff:
    """Counts failed attempts and returns the delay before the next one.

    Args:
        schedule: delays in seconds; the last one repeats.
    """

    def __init__(self, schedule: Sequence[float]) -> None:
        self._schedule = schedule
        self._failures = 0

    def delay(self, at_least: float | None = None) -> float:
        """Return the delay in seconds, with up to 25 % jitter, and count a failure.

        Args:
            at_least: the delay that the server asked for, in seconds; jitter only lengthens it.
        """
        delay = self._schedule[min(self._failures, len(self._schedule) - 1)]
        self._failures += 1
        if at_least is not None:
            return at_least * (1 + JITTER * random.random())  # noqa: S311 - spreads load, protects nothing  # nosec B311
        return delay * (1 + JITTER * random.uniform(-1, 1))  # noqa: S311 - spreads load, protects nothing  # nosec B311

    def reset(self) -> None:
        """Start from the shortest delay again, after a success."""
        self._failures = 0
