"""Opens a server's data for the operator's commands.

With SQLite, the server must be the only process that writes to the database. A command that writes therefore takes the
server's lock, and fails if the server is running. With PostgreSQL, both may write at the same time.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from famichat.cli.operator import tables  # noqa: F401 - registers every table
from famichat.cli.refusal import Refused
from famichat.settings import Settings, load_settings
from famichat.storage.crypto.vault import BlindIndex, Vault
from famichat.storage.crypto.vault_keys import settle
from famichat.storage.data_dir import DataDir
from famichat.storage.database import Database
from famichat.storage.opening import open_database
from famichat.storage.problems import DatabaseUnusable


@dataclass(frozen=True, slots=True)
class OpenedData:
    """A server's settings, database and keys."""

    settings: Settings
    database: Database
    vault: Vault
    index: BlindIndex
    secret_key: str


@contextmanager
def open_for_writing(settings: Settings, *, stopped: bool = False, accept_moved: bool = False) -> Iterator[OpenedData]:
    """Open a server's data for writing. Migrates the database, and creates it if it does not exist.

    Use this only for changes to storage itself, such as its keys. To change users' data, run a method of the server:
    see `administration`.

    Args:
        settings: the server's settings.
        stopped: whether a PostgreSQL server must also be stopped, because it would not notice the change.
        accept_moved: see `open_database`.

    Raises:
        DirectoryInUse: the server is running.
        WrongVaultKeys: the keys that the data was encrypted with are lost.
    """
    with _lock(settings, stopped=stopped), _opened(settings, _migrated(settings, accept_moved=accept_moved)) as data:
        keys, only_writer = data.vault.keys, on_sqlite(settings)
        data.vault.seal_with(data.database.run(lambda session: settle(session, keys, use_newest=only_writer)))
        yield data


@contextmanager
def open_readonly(data_dir: Path | None) -> Iterator[OpenedData]:
    """Open a server's data for reading. Works while the server is running.

    Raises:
        Refused: `no_database` if there is no database yet.
        DatabaseUnusable: `database_missing` if there was one.
    """
    settings = load_settings(data_dir=data_dir)
    file, here = sqlite_file(settings), DataDir(settings.data_dir)
    if file is not None and not file.is_file():
        if here.database_id() is not None:
            raise DatabaseUnusable("database_missing")
        raise Refused("no_database", f"There is no database at {file} yet. Create it with `famichat migrate`")
    with _opened(settings, lambda url, _: Database(url)) as data:
        yield data


def on_sqlite(settings: Settings) -> bool:
    """Return whether the database is SQLite, which only one process may write to."""
    return settings.effective_database_url.startswith("sqlite")


def sqlite_file(settings: Settings) -> Path | None:
    """Return the path of the SQLite database; None for PostgreSQL."""
    return Path(settings.effective_database_url.removeprefix("sqlite:///")) if on_sqlite(settings) else None


def _migrated(settings: Settings, *, accept_moved: bool) -> Callable[[str, DataDir], Database]:
    from famichat.app.backups import before_migration  # noqa: PLC0415 - large; only commands that change data need it

    return partial(open_database, before_migration=before_migration(settings), accept_moved=accept_moved)


@contextmanager
def _lock(settings: Settings, *, stopped: bool) -> Iterator[None]:
    with ExitStack() as stack:
        if stopped or on_sqlite(settings):
            stack.enter_context(DataDir(settings.data_dir).lock())
        yield


@contextmanager
def _opened(settings: Settings, connect: Callable[[str, DataDir], Database]) -> Iterator[OpenedData]:
    here = DataDir(settings.data_dir)
    keys = here.secrets(settings.secret_key, settings.vault_keys)
    database = connect(settings.effective_database_url, here)
    try:
        yield OpenedData(settings, database, Vault(keys.vault_keys), BlindIndex(keys.secret_key), keys.secret_key)
    finally:
        database.close()
