"""The table of scheduled backups, by which the servers of one database know when the next one is due."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import BigInteger, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from famichat.storage.base import Base, PrimaryKey, UtcDateTime
from famichat.storage.epoch import DatabaseEpoch

BackupProblem = Literal["not_made", "not_verified"]


class BackupRecord(Base):
    """A scheduled backup that has ended.

    Attributes:
        file: its name in the backup directory.
        bytes: its size; 0 if it failed.
        messages: how many messages it contains; 0 if it failed.
        verified_at: when it was restored into a scratch place and found to be good.
        error: the name of the exception that it, or its verification, failed with.
    """

    __tablename__ = "backups"

    id: Mapped[PrimaryKey]
    started_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    finished_at: Mapped[datetime] = mapped_column(UtcDateTime)
    file: Mapped[str]
    bytes: Mapped[int] = mapped_column(BigInteger)
    messages: Mapped[int] = mapped_column(BigInteger)
    verified_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    error: Mapped[str | None]


@dataclass(frozen=True, slots=True)
class BackupTimes:
    """When things last happened to the backups of a database.

    Attributes:
        began_at: when the database was created.
        tried_at: when the last scheduled backup began, successful or not.
        made_at: when the last successful one began.
        verified_at: when one was last verified.
        problem: what failed last time; None if nothing did.
    """

    began_at: datetime
    tried_at: datetime | None
    made_at: datetime | None
    verified_at: datetime | None
    problem: BackupProblem | None = None


def backup_times(session: Session) -> BackupTimes:
    """Read the times from the table."""
    began_at = session.execute(select(DatabaseEpoch.began_at)).scalar_one()
    tried_at = session.execute(select(func.max(BackupRecord.started_at))).scalar_one()
    made_at = session.execute(select(func.max(BackupRecord.started_at)).where(BackupRecord.bytes > 0)).scalar_one()
    verified_at = session.execute(select(func.max(BackupRecord.verified_at))).scalar_one()
    return BackupTimes(began_at, tried_at, made_at, verified_at, _problem(session))


def _problem(session: Session) -> BackupProblem | None:
    newest = select(BackupRecord.error, BackupRecord.bytes).order_by(BackupRecord.started_at.desc()).limit(1)
    row = session.execute(newest).first()
    if row is None or row.error is None:
        return None
    return "not_verified" if row.bytes else "not_made"
