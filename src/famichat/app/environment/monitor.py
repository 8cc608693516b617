"""Repeats the checks of the environment in a running server, for its metrics."""

import asyncio
from contextlib import suppress
from importlib import import_module

from sqlalchemy.orm import Session

from famichat.app.environment.check import Check
from famichat.app.environment.machine import chrony_offset, data_folders, database_offset, free_bytes
from famichat.chat.mls.progress import devices_without_keys, encrypted_conversations
from famichat.settings import Settings
from famichat.storage.crypto.vault import Vault
from famichat.storage.database import Database
from famichat.storage.errors import StorageUnavailable
from famichat.telemetry.metrics import Metrics

_FIRST_SECONDS, _EVERY_SECONDS = 60.0, 600.0


class EnvironmentMonitor:
    """Checks clock, public URL, push services and encryption every ten minutes, and remembers the results.

    Args:
        settings: where the data is, and the public URL.
        database: where the subscriptions are; PostgreSQL has a clock to compare with.
        vault: decrypts the subscriptions.
    """

    def __init__(self, settings: Settings, database: Database, vault: Vault) -> None:
        self._settings = settings
        self._database = database
        self._vault = vault
        self.clock_offset = 0.0
        self.public_url_faulty = 0
        self.unreachable_push_services = 0
        self.encrypted_conversations = 0
        self.devices_without_keys = 0

    async def run(self) -> None:
        """Check until cancelled. The first check waits until the server is in service."""
        await asyncio.sleep(_FIRST_SECONDS)
        while True:
            with suppress(StorageUnavailable):  # the database has reported it
                await self.once()
            await asyncio.sleep(_EVERY_SECONDS)

    async def once(self) -> None:
        """Check now.

        Raises:
            StorageUnavailable: the database did not answer.
        """
        # In a thread, because these load large libraries.
        pushes = await asyncio.to_thread(import_module, "famichat.app.environment.push_services")
        urls = await asyncio.to_thread(import_module, "famichat.app.environment.public_url")
        offset, origins = await self._database.read(
            lambda session: (database_offset(session), pushes.push_origins(session, self._vault))
        )
        self.encrypted_conversations, self.devices_without_keys = await self._database.read(_encryption)
        push = await pushes.reach_push_services(origins, allow_private=self._settings.push_private_addresses)
        self.unreachable_push_services = len(push.unreachable)
        if self._settings.public_url is not None:
            public_url = await urls.check_public_url(self._settings)
            self.public_url_faulty = int(public_url.status == Check.BAD)
        measured = (offset, await asyncio.to_thread(chrony_offset), push.offset)
        self.clock_offset = next((each for each in measured if each is not None), 0.0)

    def measure(self, metrics: Metrics) -> None:
        """Register the gauges of the results."""
        folders = data_folders(self._settings)
        metrics.gauge(
            "famichat_disk_free_bytes", "Free space on the fullest disk of the data", lambda: free_bytes(folders)
        )
        metrics.gauge(
            "famichat_clock_offset_seconds",
            "Seconds that this clock is ahead",
            lambda: self.clock_offset,
        )
        metrics.gauge(
            "famichat_public_url_faulty",
            "Whether the public URL is faulty, 1 or 0",
            lambda: self.public_url_faulty,
        )
        metrics.gauge(
            "famichat_push_services_unreachable",
            "Push services of subscribed devices that do not answer",
            lambda: self.unreachable_push_services,
        )
        metrics.gauge(
            "famichat_encrypted_conversations",
            "Conversations with an MLS group",
            lambda: self.encrypted_conversations,
        )
        metrics.gauge(
            "famichat_devices_without_keys",
            "Devices seen in the last 30 days that have published no keys",
            lambda: self.devices_without_keys,
        )


def _encryption(session: Session) -> tuple[int, int]:
    return encrypted_conversations(session), len(devices_without_keys(session))
