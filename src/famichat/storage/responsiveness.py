"""Limits how long callers wait for a database that has stopped answering, and finds out when it answers again.

A connection that is cut silently, so that packets are dropped in both directions, reports no error for minutes. The
network settings of `database.py` make such a connection fail after about four seconds. But a caller may need several
connections, and wait for a thread that is stuck with one. So callers wait until the database has answered nothing, to
any of them, for `DEADLINE_SECONDS`. From then on calls fail immediately, except one per second, which tries again.
"""

import time

from famichat.storage.errors import StorageUnreachable

DEADLINE_SECONDS = 4.5
_PROBE_SECONDS = 1.0


class Responsiveness:
    """Whether a database answers. Used from the event loop only.

    Waiting callers do not count as long as others get answers: a busy database is slow, but not away.
    """

    def __init__(self) -> None:
        self._answered_at = time.monotonic()
        self._is_silent = False
        self._probe_at = 0.0

    def admit(self, operation: str) -> None:
        """Let a call pass, unless the database is silent and another call has tried it less than a second ago.

        Raises:
            StorageUnreachable: it was not let pass. Nothing was executed.
        """
        if not self._is_silent:
            return
        if time.monotonic() < self._probe_at:
            raise StorageUnreachable(operation)
        self._probe_at = time.monotonic() + _PROBE_SECONDS

    def answered(self) -> None:
        """Note that a call got an answer."""
        self._answered_at, self._is_silent = time.monotonic(), False

    def fell_silent(self) -> None:
        """Note that the deadline of a call has passed."""
        self._is_silent = True

    def seconds_left(self, asked_at: float) -> float:
        """Return how long a call should wait at most, before it asks this again.

        Args:
            asked_at: when the call was made, by `time.monotonic`.
        """
        return max(asked_at, self._answered_at) + DEADLINE_SECONDS - time.monotonic()
