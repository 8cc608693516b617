"""How often one device may knock, and all devices of one person together: token buckets, in memory.

A refusal cannot be overlooked: `check` gives nothing back that could be left unread, it raises, and whatever was asked
for is not done. What it raises says when to come back, and is true: after that time, one more passes.

    context.rate_limits.check("send", caller)
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NewType

from famichat.accounts.sign_in.token import Identity
from famichat.errors import FamichatError
from famichat.telemetry import emit, events

Address = NewType("Address", str)
"""Where somebody unknown comes from. A type of its own, so that nothing else is counted in its place."""


class RateLimited(FamichatError):
    """The caller exceeded a rate limit. Nothing was done; retry after `retry_in_ms`."""

    code = "rate_limited"

    def __init__(self, retry_in_seconds: float) -> None:
        super().__init__(retry_in_ms=max(1, math.ceil(retry_in_seconds * 1000)))


@dataclass(frozen=True, slots=True)
class Limit:
    """So many at once, and then so many a second."""

    burst: float
    per_second: float


LimitName = Literal[
    "request",
    "send",
    "change",
    "join",
    "connect",
    "typing",
    "acknowledge",
    "read",
    "sign_in",
    "refresh",
    "invite",
    "report",
    "push_test",
    "upload",
]

LIMITS: dict[LimitName, Limit] = {
    "request": Limit(400, 50),
    "send": Limit(60, 10),
    "change": Limit(60, 10),
    "join": Limit(200, 10),
    "connect": Limit(60, 2),
    "typing": Limit(20, 4),
    "acknowledge": Limit(200, 50),
    "read": Limit(200, 50),
    "sign_in": Limit(20, 0.2),
    "refresh": Limit(100, 1),
    "invite": Limit(20, 0.1),
    "report": Limit(20, 0.5),
    "push_test": Limit(5, 0.1),
    "upload": Limit(60, 1),
}

DEVICES = 3
"""As much as so many devices may, one person may on all devices together: another device is quickly signed in."""

_FORGET_AFTER = 10_000
_ROUNDING = 1e-6  # of seconds: what is due now must not wait for the last bit of a fraction


@dataclass(frozen=True, slots=True)
class _Key:
    """Whose bucket it is, and of which limit."""

    name: LimitName
    id: str
    person: bool = False

    @property
    def limit(self) -> Limit:
        one = LIMITS[self.name]
        return Limit(one.burst * DEVICES, one.per_second * DEVICES) if self.person else one


class RateLimits:
    """Refuses what comes too often.

    Args:
        enabled: False lets everything pass, for demonstrations and benchmarks.
        clock: seconds that never go back.
    """

    def __init__(self, *, enabled: bool, clock: Callable[[], float] = time.monotonic) -> None:
        self.enabled = enabled
        self._clock = clock
        self._buckets: dict[_Key, tuple[float, float]] = {}

    def check(self, name: LimitName, who: Identity | Address) -> None:
        """Count one knock: for the device and for its person, or for the address that somebody unknown comes from.

        Raises:
            RateLimited: it is one too many, and was not counted.
        """
        if not self.enabled:
            return
        moment = self._clock()
        keys = (
            [_Key(name, who)]
            if isinstance(who, str)
            else [_Key(name, who.device_id), _Key(name, who.user_id, person=True)]
        )
        left = [self._left(key, moment) for key in keys]
        wait = max((1 - tokens) / key.limit.per_second for key, tokens in zip(keys, left, strict=True))
        if wait > _ROUNDING:
            emit(events.RateLimitThrottled(limit=name, retry_in_seconds=wait))
            raise RateLimited(wait)
        if len(self._buckets) >= _FORGET_AFTER:
            self._forget_full(moment)
        self._buckets.update({key: (tokens - 1, moment) for key, tokens in zip(keys, left, strict=True)})

    def _left(self, key: _Key, moment: float) -> float:
        tokens, since = self._buckets.get(key, (key.limit.burst, moment))
        return min(key.limit.burst, tokens + (moment - since) * key.limit.per_second)

    def _forget_full(self, moment: float) -> None:
        """Drop the buckets that have filled up again: forgetting them changes nothing."""
        self._buckets = {key: kept for key, kept in self._buckets.items() if self._left(key, moment) < key.limit.burst}
