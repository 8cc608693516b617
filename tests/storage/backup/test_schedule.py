"""When scheduled backups are due."""

from datetime import UTC, datetime, timedelta

from famichat.storage.backup.record import BackupTimes
from famichat.storage.backup.schedule import next_due

ID = "019a21c4-166d-70a3-8a1b-34628bd01234"
NIGHT = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)


def times(*, tried_at: datetime | None = None, made_at: datetime | None = None) -> BackupTimes:
    return BackupTimes(NIGHT, tried_at, made_at, None)


def is_due(times: BackupTimes, at: datetime) -> bool:
    return next_due(times, ID, at) <= at


def test_a_backup_is_due_once_a_day_and_soon_after_the_server_was_off() -> None:
    hours = [hour for hour in range(48) if is_due(times(made_at=NIGHT), NIGHT + timedelta(hours=hour))]

    assert is_due(times(), NIGHT)
    assert not is_due(times(made_at=NIGHT), NIGHT)
    assert hours == list(range(hours[0], 48))
    assert 2 <= (NIGHT + timedelta(hours=hours[0])).astimezone().hour <= 5


def test_a_failed_backup_is_tried_again_after_an_hour() -> None:
    failed = times(tried_at=NIGHT, made_at=NIGHT - timedelta(days=2))

    assert not is_due(failed, NIGHT + timedelta(minutes=59))
    assert is_due(failed, NIGHT + timedelta(minutes=61))


def test_the_next_backup_is_due_within_a_day() -> None:
    due = next_due(times(made_at=NIGHT), ID, NIGHT)

    assert timedelta() < due - NIGHT < timedelta(days=1)
    assert 2 <= due.astimezone().hour < 5
