"""Asks the database every second whether it answers, so that `/readyz` never waits for it."""

import asyncio
import time

from famichat.storage.database import Database
from famichat.storage.errors import StorageUnavailable

EVERY_SECONDS = 1.0
_VALID_SECONDS = 5.0


class DatabaseCheck:
    """The result of the last check, for a database that answers when this is created.

    Args:
        database: the database.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._answered_at: float | None = time.monotonic()

    @property
    def answers(self) -> bool:
        """Whether the last check succeeded, at most five seconds ago."""
        return self._answered_at is not None and time.monotonic() - self._answered_at < _VALID_SECONDS

    async def run(self) -> None:
        """Check until cancelled."""
        while True:
            await self.once()
            await asyncio.sleep(EVERY_SECONDS)

    async def once(self) -> None:
        """Check now."""
        try:
            await self._database.ping()
        except StorageUnavailable:  # the database has reported it
            self._answered_at = None
        else:
            self._answered_at = time.monotonic()
