"""Rotates vault keys in a running server: loads new keys, switches to them and re-encrypts, without a restart.

`famichat vault rotate` adds a key to `secrets.json`. A server on SQLite, the only writer there, switches to it and
re-encrypts existing data. On PostgreSQL the command does both itself, because several servers may have to load the key
first; each server checks once per second which key it should encrypt with.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from functools import partial

from famichat.storage.crypto.reencryption import SETTLING, Walk, finish, write
from famichat.storage.crypto.vault import Vault
from famichat.storage.crypto.vault_keys import sealing_key, settle
from famichat.storage.database import Database
from famichat.storage.errors import StorageError
from famichat.telemetry import emit, events

EVERY_SECONDS = 1.0
PAUSE_SECONDS = 0.02
"""Pause between two re-encryption steps, so that users do not notice them."""


class KeyRotation:
    """Background task that keeps a vault's keys current.

    Args:
        database: records which key encrypts.
        vault: the vault to update.
        kept: reads the stored keys; None if the settings provide them.
    """

    def __init__(self, database: Database, vault: Vault, kept: Callable[[], Mapping[int, bytes]] | None) -> None:
        self._database = database
        self._vault = vault
        self._kept = kept
        self._reported: object = None

    async def run(self) -> None:
        """Follow key rotations every second, until cancelled. A transaction that has begun is still completed."""
        while True:
            try:
                await self._look()
                if self._database.dialect == "sqlite":
                    await self._work_off()
            except (StorageError, OSError, ValueError) as error:
                self._tell_once(events.VaultNotKept(error_type=type(error).__name__))
            await asyncio.sleep(EVERY_SECONDS)

    async def _look(self) -> None:
        if self._kept is not None:
            self._vault.learn(await asyncio.to_thread(self._kept))
        version = await self._version_to_seal_with()
        if version == self._vault.sealing_version:
            return
        if version not in self._vault.keys:
            self._tell_once(events.VaultKeyMissing(version=version))
            return
        self._vault.seal_with(version)
        emit(events.VaultKeyUsed(version=version))

    async def _version_to_seal_with(self) -> int:
        if self._database.dialect == "sqlite" and max(self._vault.keys) > self._vault.sealing_version:
            keys = self._vault.keys
            return await self._database.transaction(lambda session: settle(session, keys, use_newest=True))
        return await self._database.read(lambda session: sealing_key(session).version)

    async def _work_off(self) -> None:
        """Re-encrypt everything that older keys encrypted, unless that is done already."""
        version, walk, began = self._vault.sealing_version, Walk(self._vault), time.perf_counter()
        if await self._database.read(lambda session: sealing_key(session).resealed_at is not None):
            return
        while not walk.is_clean:
            found = await self._database.read(walk.look)
            written = await self._database.transaction(partial(write, found)) if found.changes else 0
            walk.advance(found, written)
            await asyncio.sleep(PAUSE_SECONDS)
        if await self._database.transaction(lambda session: finish(session, SETTLING)):
            seconds = time.perf_counter() - began
            emit(events.VaultResealed(version=version, unopened=walk.unopened, duration_seconds=seconds))

    def _tell_once(self, event: events.VaultNotKept | events.VaultKeyMissing) -> None:
        if event != self._reported:
            emit(event)
        self._reported = event
