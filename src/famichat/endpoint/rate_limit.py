"""How often one device may knock: a token bucket per limit and key, in memory, on a monotonic clock."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from famichat.telemetry import emit, events


class RateLimited(Exception):
    """Too often; come back in `retry_in_ms`. Nothing was done."""

    code = "rate_limited"

    def __init__(self, retry_in_seconds: float) -> None:
        super().__init__("rate_limited")
        self.details = {"retry_in_ms": max(1, round(retry_in_seconds * 1000))}


@dataclass(frozen=True, slots=True)
class Limit:
    """So many at once, and then so many a second."""

    burst: float
    per_second: float


LimitName = Literal[
    "request", "send", "join", "connect", "typing", "acknowledge", "read", "sign_in", "refresh", "invite"
]

LIMITS: dict[LimitName, Limit] = {
    "request": Limit(400, 50),
    "send": Limit(60, 10),
    "join": Limit(200, 10),
    "connect": Limit(60, 2),
    "typing": Limit(20, 4),
    "acknowledge": Limit(200, 50),
    "read": Limit(200, 50),
    "sign_in": Limit(20, 0.2),
    "refresh": Limit(100, 1),
    "invite": Limit(20, 0.1),
}

_FORGET_AFTER = 10_000


class RateLimits:
    """Refuses what comes too often.

    Args:
        enabled: False lets everything pass, for demonstrations and benchmarks.
        clock: seconds that never go back.
    """

    def __init__(self, *, enabled: bool, clock: Callable[[], float] = time.monotonic) -> None:
        self.enabled = enabled
        self._clock = clock
        self._buckets: dict[tuple[LimitName, str], tuple[float, float]] = {}

    def check(self, name: LimitName, key: str) -> None:
        """Count one knock of `key`, such as a device's id or an address.

        Raises:
            RateLimited: it is one too many.
        """
        if not self.enabled:
            return
        limit, moment = LIMITS[name], self._clock()
        tokens, since = self._buckets.get((name, key), (limit.burst, moment))
        tokens = min(limit.burst, tokens + (moment - since) * limit.per_second)
        if tokens < 1:
            wait = (1 - tokens) / limit.per_second
            emit(events.RateLimitThrottled(limit=name, retry_in_seconds=wait))
            raise RateLimited(wait)
        if len(self._buckets) >= _FORGET_AFTER:
            self._forget_full(moment)
        self._buckets[name, key] = (tokens - 1, moment)

    def _forget_full(self, moment: float) -> None:
        """Drop the buckets that have filled up again: forgetting them changes nothing."""
        self._buckets = {
            (name, key): (tokens, since)
            for (name, key), (tokens, since) in self._buckets.items()
            if tokens + (moment - since) * LIMITS[name].per_second < LIMITS[name].burst
        }
