"""A wall clock that a test moves, for `time.time`."""

import time
from datetime import timedelta
from typing import Final

_REAL: Final = time.time


class Clock:
    """Returns Unix time in seconds, ahead of the real clock by the sum of all jumps."""

    def __init__(self) -> None:
        self._ahead = timedelta(0)

    def __call__(self) -> float:
        """Return the time."""
        return _REAL() + self._ahead.total_seconds()

    def jump(self, by: timedelta) -> None:
        """Set the clock forward, or back if `by` is negative."""
        self._ahead += by
