"""What an operator's command works with: the settings, and a database that nobody else changes meanwhile.

A server on SQLite is the only writer of its database, so a command that writes takes the same lock as the server, or
says that Famichat is running. On PostgreSQL both may work at once.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from famichat.cli import tables  # noqa: F401 - whoever opens a database knows all that is in it
from famichat.cli.refusal import Refused
from famichat.settings import Settings, load_settings
from famichat.storage.crypto.vault import BlindIndex, Vault
from famichat.storage.crypto.vault_keys import settle
from famichat.storage.data_dir import DataDir
from famichat.storage.database import Database
from famichat.storage.migrate import upgrade


@dataclass(frozen=True, slots=True)
class OpenedData:
    """A server's data, opened."""

    settings: Settings
    database: Database
    vault: Vault
    index: BlindIndex
    secret_key: str


@contextmanager
def open_for_writing(settings: Settings, *, stopped: bool = False) -> Iterator[OpenedData]:
    """Open a server's data to change it, migrated, and made if there was none.

    Args:
        settings: which server's.
        stopped: whether the server must not run on PostgreSQL either, because it would not notice the change.

    Raises:
        DirectoryInUse: the server runs.
        WrongVaultKeys: what the database was sealed with is lost.
    """
    with ExitStack() as stack:
        if stopped or on_sqlite(settings):
            stack.enter_context(DataDir(settings.data_dir).lock())
        desk = stack.enter_context(_opened(settings))
        upgrade(desk.database)
        keys, alone = desk.vault.keys, on_sqlite(settings)
        desk.vault.seal_with(desk.database.run(lambda session: settle(session, keys, use_newest=alone)))
        yield desk


@contextmanager
def open_readonly(data_dir: Path | None) -> Iterator[OpenedData]:
    """Open a server's data to look at it, also while the server runs."""
    settings = load_settings(data_dir=data_dir)
    file = sqlite_file(settings)
    if file is not None and not file.is_file():
        raise Refused("no_database", f"There is no database at {file} yet. Create it with `famichat migrate`")
    with _opened(settings) as desk:
        yield desk


def on_sqlite(settings: Settings) -> bool:
    """Whether the database is a file that one process may write to."""
    return settings.effective_database_url.startswith("sqlite")


def sqlite_file(settings: Settings) -> Path | None:
    """Where the SQLite database is; None for PostgreSQL."""
    return Path(settings.effective_database_url.removeprefix("sqlite:///")) if on_sqlite(settings) else None


@contextmanager
def _opened(settings: Settings) -> Iterator[OpenedData]:
    keys = DataDir(settings.data_dir).secrets(settings.secret_key, settings.vault_keys)
    database = Database(settings.effective_database_url)
    try:
        yield OpenedData(settings, database, Vault(keys.vault_keys), BlindIndex(keys.secret_key), keys.secret_key)
    finally:
        database.close()
