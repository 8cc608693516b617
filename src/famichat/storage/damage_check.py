"""Checks the database of a running server for damage every day, because SQLite does not notice it by itself."""

import asyncio
import threading
import time
from contextlib import suppress
from pathlib import Path

from famichat.storage.database import Database
from famichat.storage.errors import StorageUnavailable
from famichat.storage.integrity import RowScan, find_damage
from famichat.telemetry import emit, events

FIRST_SECONDS = 60.0
EVERY_SECONDS = 24 * 60 * 60.0
_PAUSES = 4.0  # per second of reading


class DamageCheck:
    """Checks an SQLite database a minute after the server started, and every day.

    Args:
        database: the database.
        file: its file.

    Attributes:
        places: in how many places the last check found damage.
    """

    def __init__(self, database: Database, file: Path) -> None:
        self._database = database
        self._file = file
        self._stopping = threading.Event()
        self.places = 0

    async def run(self) -> None:
        """Check until cancelled. An unreachable database is checked again after a day."""
        await asyncio.sleep(FIRST_SECONDS)
        self._stopping.clear()
        try:
            while True:
                with suppress(StorageUnavailable):  # the database has reported it
                    await self.once()
                await asyncio.sleep(EVERY_SECONDS)
        finally:
            self._stopping.set()  # or its thread would delay the stop of the server

    async def once(self) -> None:
        """Check now, and report what is damaged.

        Raises:
            StorageUnavailable: the database did not answer.
        """
        found = []
        scan = RowScan()
        while not scan.done:
            began = time.perf_counter()
            found += await self._database.read(scan.page)
            await asyncio.sleep(_PAUSES * (time.perf_counter() - began))  # the family's messages come first
        in_file = await asyncio.to_thread(find_damage, self._file, self._stopping.is_set)
        if in_file is not None:
            found.insert(0, in_file)
        self.places = len(found)
        if found:
            emit(events.DatabaseDamaged(places=len(found), first=found[0]))
