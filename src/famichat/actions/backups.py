"""What family admins read about the backups of the server."""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from famichat.accounts.sign_in.token import Identity
from famichat.actions.services import Services
from famichat.chat.families.admin import people_of
from famichat.storage.backup.record import BackupProblem, BackupTimes, backup_times
from famichat.storage.backup.schedule import next_due
from famichat.storage.base import now
from famichat.storage.epoch import database_id

OVERDUE = timedelta(days=3)


@dataclass(frozen=True, slots=True)
class BackupStatus:
    """The state of the server's backups.

    Attributes:
        last_at: when the last backup was made; None if there is none.
        verified_at: when one was last restored into a scratch place and compared; None if none was.
        next_at: when the next one is due; None if the server does not make any itself.
        problem: what failed last time.
        is_overdue: whether there has been no backup for three days. A server that makes none itself, and has never been
            backed up by its commands, is backed up in another way or not at all; this is not known.
    """

    last_at: datetime | None
    verified_at: datetime | None
    next_at: datetime | None
    problem: BackupProblem | None
    is_overdue: bool


async def read_backup_status(services: Services, actor: Identity, family_id: str) -> BackupStatus:
    """Return the state of the backups, to a family admin.

    Raises:
        RateLimited: too many reads.
        NotFound: the actor is not a member of the family.
        NotAdmin: the actor is not an admin.
    """
    services.rate_limits.check("read", actor)

    def work(session: Session) -> tuple[BackupTimes, str]:
        people_of(session, actor.user_id, family_id)
        return backup_times(session), database_id(session)

    times, id_ = await services.read(work)
    last_at = _latest(times.made_at, await asyncio.to_thread(services.data_dir.last_backup))
    verified_at = _latest(times.verified_at, await asyncio.to_thread(services.data_dir.last_verified))
    next_at = next_due(times, id_, now()) if services.makes_backups else None
    since = last_at or (times.began_at if services.makes_backups else None)
    return BackupStatus(last_at, verified_at, next_at, times.problem, since is not None and since < now() - OVERDUE)


def _latest(*times: datetime | None) -> datetime | None:
    return max((each for each in times if each is not None), default=None)
