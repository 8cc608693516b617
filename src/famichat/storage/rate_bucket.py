"""Token buckets in the database, for rate limits that hold across all nodes.

Used on PostgreSQL only: SQLite has one process, which counts in memory.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Float, LargeBinary, delete, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from famichat.storage.base import Base, now

_FORGOTTEN_AFTER = timedelta(hours=1)
"""All buckets are full again after a few minutes, and a missing bucket counts as full."""

# One statement, so that concurrent requests wait for each other instead of failing. The clock is that of the database,
# because those of the nodes differ.
_TAKE = text("""
    INSERT INTO rate_buckets AS bucket (key, tokens, updated_at)
    VALUES (:key, CAST(:burst AS float8) - :cost, clock_timestamp())
    ON CONFLICT (key) DO UPDATE SET updated_at = clock_timestamp(), tokens = least(:burst, bucket.tokens
      + :per_second * greatest(0, extract(epoch FROM clock_timestamp() - bucket.updated_at))) - :cost
    RETURNING tokens
""")


@dataclass(frozen=True, slots=True)
class Bucket:
    """A token bucket: what it counts, its capacity, and how many tokens it regains per second."""

    key: bytes
    burst: float
    per_second: float


class BucketEmpty(Exception):
    """A bucket has too few tokens; none was taken from any bucket."""

    def __init__(self, retry_in_seconds: float) -> None:
        super().__init__(retry_in_seconds)
        self.retry_in_seconds = retry_in_seconds


class RateBucket(Base):
    """The tokens that a bucket had at `updated_at`. The key is a keyed hash of the limit and of what it counts."""

    __tablename__ = "rate_buckets"

    key: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    tokens: Mapped[float] = mapped_column(Float)
    updated_at: Mapped[datetime] = mapped_column(index=True)


def take_tokens(session: Session, buckets: Sequence[Bucket], cost: float) -> None:
    """Take tokens from each of these buckets, or from none.

    Args:
        session: a new transaction on PostgreSQL.
        buckets: the buckets, always in the same order for the same keys.
        cost: the tokens to take, at most the capacity of each bucket.

    Raises:
        BucketEmpty: one of the buckets has too few tokens. The transaction must be rolled back.
    """
    # A serialisable transaction would fail when a concurrent request takes a token.
    session.execute(text("SET TRANSACTION ISOLATION LEVEL READ COMMITTED"))
    for bucket in buckets:
        values = {"key": bucket.key, "burst": bucket.burst, "per_second": bucket.per_second, "cost": cost}
        left = float(session.execute(_TAKE, values).scalar_one())
        if left < 0:
            raise BucketEmpty(-left / bucket.per_second)


def forget_full_buckets(session: Session) -> None:
    """Delete the buckets that have not been used for so long that they are full."""
    session.execute(delete(RateBucket).where(RateBucket.updated_at < now() - _FORGOTTEN_AFTER))
