"""Timestamps on the wire are UTC with microseconds, whatever time zone and fraction they have."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from famichat.storage.base import rfc3339

STOCKHOLM = timezone(timedelta(hours=1))


@pytest.mark.parametrize(
    ("timestamp", "text"),
    [
        (datetime(2026, 11, 23, 5, 30, 12, 345678, tzinfo=UTC), "2026-11-23T05:30:12.345678Z"),
        (datetime(2026, 11, 23, 5, 30, 12, 300, tzinfo=UTC), "2026-11-23T05:30:12.000300Z"),
        (datetime(2026, 11, 23, 5, 30, 12, tzinfo=UTC), "2026-11-23T05:30:12.000000Z"),
        (datetime(2026, 11, 23, 0, 30, 12, 345678, tzinfo=STOCKHOLM), "2026-11-22T23:30:12.345678Z"),
        (datetime.max.replace(tzinfo=UTC), "9999-12-31T23:59:59.999999Z"),
    ],
)
def test_a_timestamp_has_microseconds_and_is_in_utc(timestamp: datetime, text: str) -> None:
    assert rfc3339(timestamp) == text
