"""Rate limits per device, per user and per client address: token buckets.

The buckets are in memory, so each node counts for itself. The limits that protect accounts (`SharedLimitName`) are
counted in the database, too, if several nodes can use it.

`check` raises instead of returning a result, so a refusal cannot be overlooked. The error states when to retry; after
that time, one more request is allowed.

    services.rate_limits.check("send", actor)
    await services.rate_limits.check_shared("sign_in", address)
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal, NewType

from sqlalchemy.orm import Session

from famichat.accounts.sign_in.token import Identity
from famichat.errors import FamichatError
from famichat.storage.crypto.vault import BlindIndex
from famichat.storage.database import Database
from famichat.storage.errors import StorageUnavailable
from famichat.storage.rate_bucket import Bucket, BucketEmpty, take_tokens
from famichat.telemetry import emit, events

Address = NewType("Address", str)
"""The address of an unauthenticated client. A separate type, so that nothing else is counted by mistake."""


def mailbox_of(user_id: str) -> Address:
    """Return the key under which e-mail to a user is counted, whichever device or address asks for it."""
    return Address(f"mailbox {user_id}")


def account_at(address: Address, account: str) -> Address:
    """Return the key under which an account is counted at an address, apart from others at this address."""
    return Address(f"{address} {account}")


class RateLimited(FamichatError):
    """The caller exceeded a rate limit. Nothing was done; retry after `retry_in_ms`."""

    code = "rate_limited"

    def __init__(self, retry_in_seconds: float) -> None:
        super().__init__(retry_in_ms=max(1, math.ceil(retry_in_seconds * 1000)))


@dataclass(frozen=True, slots=True)
class Limit:
    """A token bucket: its capacity, and how many tokens it regains per second."""

    burst: float
    per_second: float


SharedLimitName = Literal["sign_in", "refresh", "invite", "email"]
"""Passwords and setup codes; refresh tokens; invitations and reset links; e-mail to one user."""
NodeLimitName = Literal[
    "request",
    "send",
    "change",
    "join",
    "connect",
    "typing",
    "acknowledge",
    "read",
    "report",
    "push_test",
    "upload",
    "frame",
    "keys",
    "commit",
    "key_request",
]
LimitName = SharedLimitName | NodeLimitName

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
    "email": Limit(3, 0.001),
    "report": Limit(20, 0.5),
    "push_test": Limit(5, 0.1),
    "upload": Limit(60, 1),
    "frame": Limit(1000, 200),
    "keys": Limit(60, 1),
    "commit": Limit(30, 0.5),
    "key_request": Limit(10, 0.01),
}

FRAME_BYTES_PER_TOKEN = 8 * 1024
"""A frame costs one token, and one more for each of these bytes: a frame of 1 MiB takes some milliseconds to parse."""

DEVICES = 3
"""All devices of one user together may do as much as this many devices: signing in another device is easy."""

_FORGET_AFTER = 10_000
_ROUNDING = 1e-6  # seconds: tolerates floating-point error when a token is due now


@dataclass(frozen=True, slots=True)
class _Key:
    """The key of a bucket."""

    name: LimitName
    id: str
    person: bool = False

    @property
    def limit(self) -> Limit:
        one = LIMITS[self.name]
        return Limit(one.burst * DEVICES, one.per_second * DEVICES) if self.person else one


def _keys(name: LimitName, who: Identity | Address) -> list[_Key]:
    if isinstance(who, str):
        return [_Key(name, who)]
    return [_Key(name, who.device_id), _Key(name, who.user_id, person=True)]


class SharedBuckets:
    """The buckets in the database.

    Args:
        database: a PostgreSQL database.
        index: hashes addresses and accounts.
    """

    def __init__(self, database: Database, index: BlindIndex) -> None:
        self._database = database
        self._index = index

    async def take(self, keys: Sequence[_Key]) -> float:
        """Take a token from each bucket; or return how many seconds to wait, and take none."""
        try:
            await self._database.transaction(partial(_take, [self._bucket(key) for key in keys]))
        except BucketEmpty as empty:
            return empty.retry_in_seconds
        except StorageUnavailable:  # the database has reported it; the request itself may still be possible
            return 0.0
        return 0.0

    def _bucket(self, key: _Key) -> Bucket:
        of = "user" if key.person else "device or address"
        return Bucket(self._index.digest("rate limit", key.name, of, key.id), key.limit.burst, key.limit.per_second)


def _take(buckets: Sequence[Bucket], session: Session) -> None:
    take_tokens(session, buckets, 1.0)


class RateLimits:
    """Enforces the rate limits.

    Args:
        enabled: False allows everything, for demonstrations and benchmarks.
        clock: monotonic seconds.
        shared: counts requests for all nodes; None if this node is the only one.
    """

    def __init__(
        self, *, enabled: bool, clock: Callable[[], float] = time.monotonic, shared: "SharedBuckets | None" = None
    ) -> None:
        self.enabled = enabled
        self._shared = shared
        self._clock = clock
        self._buckets: dict[_Key, tuple[float, float]] = {}
        self._used_at: dict[Address, None] = {}

    def check(self, name: NodeLimitName, who: Identity | Address, cost: float = 1.0) -> None:
        """Count one request on this node, for the device and its user, or for the address of an unauthenticated client.

        Args:
            name: the limit.
            who: the authenticated user and device, or the client address.
            cost: see `wait`.

        Raises:
            RateLimited: the limit is exceeded; the request is not counted.
        """
        wait = self.wait(name, who, cost)
        if wait:
            raise RateLimited(wait)

    async def check_shared(self, name: SharedLimitName, who: Identity | Address) -> None:
        """Count one request for all nodes, for the device and its user, or for the address of a client.

        While the database does not answer, each node counts for itself.

        Raises:
            RateLimited: the limit is exceeded; the request is not counted.
        """
        wait = self.wait(name, who)
        if not wait and self.enabled and self._shared is not None:
            keys = _keys(name, who)
            wait = await self._shared.take(keys)
            if wait:
                emit(events.RateLimitThrottled(limit=name, retry_in_seconds=wait))
                self._give_back(keys)
        if wait:
            raise RateLimited(wait)

    async def check_sign_in(self, address: Address, account: str) -> None:
        """Count one attempt to sign in: for the account, if it is used at this address, otherwise for the address.

        So an attacker does not lock out the accounts that are used at a shared address.

        Args:
            address: the client address.
            account: the name or e-mail address, folded.

        Raises:
            RateLimited: the limit is exceeded; the request is not counted.
        """
        who = account_at(address, account) if self.is_used_at(address, account) else address
        await self.check_shared("sign_in", who)

    def is_used_at(self, address: Address, account: str) -> bool:
        """Return whether an account was used at an address; see `remember_use`."""
        return account_at(address, account) in self._used_at

    def remember_use(self, address: Address, account: str) -> None:
        """Remember that an account was used at an address: it has signed in or continued its session."""
        if not self.enabled:
            return
        own = account_at(address, account)
        self._used_at.pop(own, None)
        self._used_at[own] = None
        if len(self._used_at) > _FORGET_AFTER:
            del self._used_at[next(iter(self._used_at))]

    def wait(self, name: LimitName, who: Identity | Address, cost: float = 1.0) -> float:
        """Count one request, or return how many seconds to wait; then the request is not counted.

        Args:
            name: the limit.
            who: the authenticated user and device, or the client address.
            cost: the tokens that the request takes, at most the burst of the limit.
        """
        if not self.enabled:
            return 0.0
        timestamp = self._clock()
        keys = _keys(name, who)
        left = [self._left(key, timestamp) for key in keys]
        wait = max((cost - tokens) / key.limit.per_second for key, tokens in zip(keys, left, strict=True))
        if wait > _ROUNDING:
            emit(events.RateLimitThrottled(limit=name, retry_in_seconds=wait))
            return wait
        if len(self._buckets) >= _FORGET_AFTER:
            self._forget_full(timestamp)
        self._buckets.update({key: (tokens - cost, timestamp) for key, tokens in zip(keys, left, strict=True)})
        return 0.0

    def _give_back(self, keys: Sequence[_Key]) -> None:
        for key in keys:
            if key in self._buckets:
                tokens, since = self._buckets[key]
                self._buckets[key] = tokens + 1, since

    def _left(self, key: _Key, timestamp: float) -> float:
        tokens, since = self._buckets.get(key, (key.limit.burst, timestamp))
        return min(key.limit.burst, tokens + (timestamp - since) * key.limit.per_second)

    def _forget_full(self, timestamp: float) -> None:
        """Drop the buckets that are full again: a missing bucket counts as full."""
        self._buckets = {
            key: bucket for key, bucket in self._buckets.items() if self._left(key, timestamp) < key.limit.burst
        }
