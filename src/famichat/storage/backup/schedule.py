"""When the next scheduled backup is due."""

import hashlib
from datetime import datetime, timedelta

from famichat.storage.backup.record import BackupTimes

_RETRY = timedelta(hours=1)
_FIRST_HOUR, _HOURS = 2, 3


def next_due(times: BackupTimes, id_: str, at: datetime) -> datetime:
    """Return when the next backup is due, every day between 2 and 5 o'clock local time; a missed one is in the past.

    Args:
        times: of the backups so far.
        id_: the database's id. It decides the minute of the day, so that servers of one house do not begin together.
        at: the current time.
    """
    minute = int.from_bytes(hashlib.sha256(id_.encode()).digest()[:4]) % (_HOURS * 60)
    local = at.astimezone()
    due = local.replace(hour=_FIRST_HOUR + minute // 60, minute=minute % 60, second=0, microsecond=0)
    if due > local:
        due -= timedelta(days=1)
    if times.made_at is not None and times.made_at >= due:
        due += timedelta(days=1)
    return due if times.tried_at is None else max(due, times.tried_at + _RETRY)
