"""Which scheduled backups to keep: the last one of each of seven days and of each of four weeks."""

import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path

DAYS, WEEKS = 7, 4
_STAMP = "%Y%m%dT%H%M%SZ"


class BackupNames:
    """The file names of the scheduled backups of one server, so that servers can share a directory.

    Args:
        database_id: the id of the server's database.
        kind: "daily", or "before" for backups that are made before a migration.
        is_encrypted: whether new backups are encrypted; existing ones may differ.
    """

    def __init__(self, database_id: str, kind: str, *, is_encrypted: bool = False) -> None:
        # The last characters of a UUIDv7 are random.
        self._start = f"famichat-{database_id[-8:]}-{kind}-"
        self._end = ".tar.age" if is_encrypted else ".tar"
        self._pattern = re.compile(rf"{re.escape(self._start)}(\d{{8}}T\d{{6}}Z)\.tar(?:\.age)?")

    def at(self, made_at: datetime) -> str:
        """Return the name of a backup that is made at this time."""
        return f"{self._start}{made_at.astimezone(UTC).strftime(_STAMP)}{self._end}"

    def made_at(self, name: str) -> datetime | None:
        """Return when the backup of this name was made; None if it is not one of these backups."""
        found = self._pattern.fullmatch(name)
        return datetime.strptime(found[1], _STAMP).replace(tzinfo=UTC) if found else None

    def of(self, folder: Path) -> dict[datetime, Path]:
        """Return these backups of a directory by the time when they were made, oldest first."""
        found = {made_at: path for path in folder.iterdir() if (made_at := self.made_at(path.name))}
        return dict(sorted(found.items()))


def kept(times: Iterable[datetime]) -> set[datetime]:
    """Return the times of the backups to keep.

    Args:
        times: when all existing backups were made.
    """
    newest_first = sorted(times, reverse=True)
    return {
        *_last_of_each(newest_first, lambda time: time.astimezone().date(), DAYS),
        *_last_of_each(newest_first, lambda time: time.astimezone().isocalendar()[:2], WEEKS),
    }


def _last_of_each(newest_first: list[datetime], period: Callable[[datetime], object], count: int) -> list[datetime]:
    last: dict[object, datetime] = {}
    for time in newest_first:
        last.setdefault(period(time), time)
    return list(last.values())[:count]
