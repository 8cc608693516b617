from datetime import UTC, datetime

import pytest

from famichat.push.preferences import QuietHours


@pytest.mark.parametrize(
    ("moment", "quiet"),
    [
        ("2026-01-15T20:59", False),
        ("2026-01-15T21:00", True),  # 22:00 in winter
        ("2026-01-16T05:59", True),
        ("2026-01-16T06:00", False),
        ("2026-07-15T20:00", True),  # 22:00 in summer
        ("2026-07-16T05:00", False),
    ],
)
def test_quiet_hours_follow_the_clock_on_the_wall(moment: str, quiet: bool) -> None:  # noqa: FBT001 - a table
    hours = QuietHours.parse("22:00", "07:00", "Europe/Stockholm")

    assert hours.contain(datetime.fromisoformat(moment).replace(tzinfo=UTC)) is quiet


@pytest.mark.parametrize("zone", ["", "Europe", "Nowhere/Land", "../../etc/passwd", "x" * 65])
def test_a_zone_that_does_not_exist_is_refused(zone: str) -> None:
    with pytest.raises(ValueError, match="time zone"):
        QuietHours.parse("22:00", "07:00", zone)


def test_hours_of_no_length_are_refused() -> None:
    with pytest.raises(ValueError, match="different start and end"):
        QuietHours.parse("22:00", "22:00", "UTC")
