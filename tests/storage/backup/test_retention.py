"""Which scheduled backups are kept, and that backups of other servers are never touched."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from famichat.storage.backup.retention import BackupNames, kept

NIGHT = datetime(2026, 11, 30, 3, 17, 4, tzinfo=UTC)
ID = "019a21c4-166d-70a3-8a1b-34628bd01234"


def test_the_last_seven_days_and_the_last_of_four_weeks_are_kept() -> None:
    nights = [NIGHT - timedelta(days=days) for days in range(60)]
    remaining: set[datetime] = set()
    for night in reversed(nights):  # as the schedule deletes: after each backup
        remaining = kept({*remaining, night})

    days_ago = sorted((NIGHT - each).days for each in remaining)
    assert days_ago[:7] == [0, 1, 2, 3, 4, 5, 6]
    assert len(days_ago) == 7 + 2  # of four weeks, the last days of two are among these seven days
    assert all((NIGHT - timedelta(days=days)).weekday() == 6 for days in days_ago[7:])  # the last day of its week


def test_of_several_backups_of_a_day_the_last_is_kept() -> None:
    morning, noon = NIGHT, NIGHT + timedelta(hours=8)

    assert kept([morning, noon]) == {noon}


def test_the_backups_of_other_servers_and_other_files_are_not_recognised(tmp_path: Path) -> None:
    names = BackupNames(ID, "daily")
    own = names.at(NIGHT)
    others = [BackupNames(ID, "before").at(NIGHT), BackupNames(ID.replace("1234", "1235"), "daily").at(NIGHT)]

    assert own == "famichat-8bd01234-daily-20261130T031704Z.tar"
    assert names.made_at(own) == names.made_at(f"{own}.age") == NIGHT
    assert BackupNames(ID, "daily", is_encrypted=True).at(NIGHT) == f"{own}.age"
    for name in (*others, own, f"{own}.new", "famichat.tar"):
        (tmp_path / name).touch()
    assert names.of(tmp_path) == {NIGHT: tmp_path / own}
