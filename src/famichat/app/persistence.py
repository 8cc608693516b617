"""Opens the database, with its keys, for a process that serves or changes the data."""

import asyncio
from dataclasses import dataclass

from famichat.app.backups import before_migration
from famichat.app.lifecycle import Lifecycle
from famichat.app.lost_access import remove_noted
from famichat.chat.account_deletion import delete_orphans
from famichat.chat.encryption_policy import EncryptionPolicies, remember_required
from famichat.settings import Settings
from famichat.storage.backup.staging import delete_leftovers
from famichat.storage.crypto.key_rotation import KeyRotation
from famichat.storage.crypto.vault import BlindIndex, Vault
from famichat.storage.crypto.vault_keys import settle
from famichat.storage.data_dir import DataDir
from famichat.storage.database import Database
from famichat.storage.opening import open_database


@dataclass(frozen=True, slots=True)
class Persistence:
    """A migrated database and its encryption keys.

    Attributes:
        database: at the newest revision.
        vault: encrypts with the key version that the database names.
        index: the blind index for lookups by encrypted values.
        policies: which conversation types demand, allow or refuse ciphertext.
        secret_key: signs access tokens and URLs.
        data_dir: where secrets, files and the record of backups are.
    """

    database: Database
    vault: Vault
    index: BlindIndex
    policies: EncryptionPolicies
    secret_key: str
    data_dir: DataDir


async def open_persistence(settings: Settings, lifecycle: Lifecycle, *, background: bool) -> Persistence:
    """Open and migrate the database, and check the vault keys.

    Args:
        settings: where the data is.
        lifecycle: closes the database when the process stops.
        background: whether to follow key rotations, finish interrupted account deletions and delete what killed backups
            left behind, as a server does.

    Raises:
        SecretsDamaged, SecretsMissing, WrongVaultKeys: the keys that the data was encrypted with are lost.
        BackupBeforeMigrationFailed: the database needs a migration, and could not be backed up first.
        DatabaseUnusable: the database cannot be used, or is not the one of this data directory.
        NewerDatabaseError: a newer Famichat has migrated the database.
        StorageUnavailable: the database does not answer.
    """
    data_dir = DataDir(settings.data_dir)
    secrets = data_dir.secrets(settings.secret_key, settings.vault_keys)
    before = before_migration(settings)
    database = await asyncio.to_thread(open_database, settings.effective_database_url, data_dir, before)
    lifecycle.on_stop(database.close)
    read_keys = None if settings.vault_keys else data_dir.kept_vault_keys
    vault = Vault(secrets.vault_keys, read_keys)
    policies = EncryptionPolicies(settings.encryption_policies)
    await database.transaction(lambda session: remember_required(session, policies))
    # Only on SQLite is this process the only writer, which may start to use the newest key on its own.
    keys, use_newest = vault.keys, database.dialect == "sqlite"
    vault.seal_with(await database.transaction(lambda session: settle(session, keys, use_newest=use_newest)))
    await asyncio.to_thread(remove_noted, database, data_dir)
    if background:
        await asyncio.to_thread(delete_leftovers, data_dir)
        await database.reserve_disk_space()
        lifecycle.start("key rotation", KeyRotation(database, vault, read_keys).run)
        while await database.transaction(delete_orphans):
            pass  # each transaction deletes one batch
    return Persistence(database, vault, BlindIndex(secrets.secret_key), policies, secrets.secret_key, data_dir)
