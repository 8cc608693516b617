"""A permission to deliver broadcasts, which must be renewed.

A node that cannot find out who lost access must not deliver. The application renews the lease each time it has found
out; while it has expired, `PubSub` holds broadcasts back.
"""

import time
from collections.abc import Callable

# CLOCK_MONOTONIC stands still while a machine is suspended; CLOCK_BOOTTIME does not, but only Linux has it.
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def _seconds_since_boot() -> float:
    return time.clock_gettime(_CLOCK)


class Lease:
    """A permission that lasts for some seconds after each renewal; at first it has expired.

    Args:
        seconds: how long it lasts.
        clock: returns seconds; must run while the machine is suspended.
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = _seconds_since_boot) -> None:
        self._seconds = seconds
        self.now = clock
        self._renewed_at = float("-inf")

    def renew(self, since: float) -> None:
        """Renew the lease.

        Args:
            since: when the read began that justifies it, by `now`.
        """
        self._renewed_at = since

    @property
    def age(self) -> float:
        """Seconds since the last renewal; infinite before the first."""
        return self.now() - self._renewed_at

    @property
    def valid(self) -> bool:
        """Whether broadcasts may be delivered now."""
        return self.age < self._seconds
