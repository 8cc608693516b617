"""Deletes abandoned uploads, files that belong to no attachment, and rows of any kind that have expired."""

import asyncio
from datetime import timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from famichat.attachments.files import Files, names_of
from famichat.chat.records.attachment import Attachment
from famichat.chat.records.mls import delete_old_commits
from famichat.e2ee.key_package import delete_expired_key_packages
from famichat.e2ee.key_share import delete_old_key_shares
from famichat.storage.access_removal import forget_old_removals
from famichat.storage.base import CLOCK_TOLERANCE, now
from famichat.storage.database import Database
from famichat.storage.errors import StorageUnavailable
from famichat.storage.rate_bucket import forget_full_buckets
from famichat.telemetry import emit, events

EVERY_SECONDS = 60 * 60.0
UNSENT_HOURS = 24
_YOUNG_SECONDS = 60 * 60.0


class Sweep:
    """Sweeps when the server starts, and every hour.

    Args:
        database: knows the attachments.
        files: the files on disk.
    """

    def __init__(self, database: Database, files: Files) -> None:
        self._database = database
        self._files = files

    async def run(self) -> None:
        """Sweep now and every hour, until cancelled. An unreachable database or disk is reported and tried again."""
        while True:
            try:
                await self.once()
            except StorageUnavailable:
                pass  # the database has reported it; the next round tries again
            except OSError as error:
                emit(events.StorageFailed(operation="sweep", error_type=type(error).__name__))
            await asyncio.sleep(EVERY_SECONDS)

    async def once(self) -> None:
        """Sweep now.

        Raises:
            StorageUnavailable: the database did not answer.
            OSError: a file cannot be removed.
        """
        unsent = await self._database.transaction(_forget_unsent)
        await self._database.transaction(forget_old_removals)
        await self._database.transaction(forget_full_buckets)
        await self._database.transaction(_delete_expired_keys)
        wanted = await self._database.read(_wanted)
        strays = await asyncio.to_thread(self._files.remove_strays, wanted, _YOUNG_SECONDS)
        if unsent or strays:
            emit(events.AttachmentsSwept(unsent=unsent, strays=strays))


def _delete_expired_keys(session: Session) -> None:
    delete_expired_key_packages(session)
    delete_old_key_shares(session)
    delete_old_commits(session)


def _forget_unsent(session: Session) -> int:
    # Uploads that began while the clock was ahead would never be old. They get a day from now.
    from_future = update(Attachment).where(Attachment.created_at > now() + CLOCK_TOLERANCE)
    session.execute(from_future.where(Attachment.message_id.is_(None)).values(created_at=now()))
    old = Attachment.created_at < now() - timedelta(hours=UNSENT_HOURS)
    unused = delete(Attachment).where(Attachment.message_id.is_(None), old).returning(Attachment.id)
    return len(session.execute(unused).all())


def _wanted(session: Session) -> set[str]:
    rows = session.execute(select(Attachment).execution_options(yield_per=1000)).scalars()
    return {name for attachment in rows for name in names_of(attachment)}
