"""Opens a server's database: checks that it can be used and that it is the right one, and migrates it.

The data directory records the id of its database (`DatabaseEpoch.database_id`). A database that is missing, empty or
another one is refused, instead of starting a server without users beside the files and keys of the lost one.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import DBAPIError

from famichat.storage.data_dir import DataDir
from famichat.storage.database import Database
from famichat.storage.node import ALIVE_SECONDS, are_running
from famichat.storage.problems import DatabaseUnusable, problem_of
from famichat.storage.revision import is_known, newest, revision

NODES_SECONDS = ALIVE_SECONDS + 5.0
"""For how long a migration waits for nodes that are about to stop."""

_POLL_SECONDS = 0.5
_OLDEST_POSTGRES = 15_00_00
MOVED, MOVING = "moved_to", "move_progress"
"""Tables that mark a database whose data is in another one now, and one to which not everything has been moved yet."""
_ID = text("SELECT database_id FROM history")


def open_database(
    url: str,
    data_dir: DataDir,
    before_migration: Callable[[Database], None] | None = None,
    *,
    accept_moved: bool = False,
) -> Database:
    """Open and migrate a database; create it if neither it nor a record of it exists.

    Args:
        url: see `Database`.
        data_dir: records the id of the database.
        before_migration: called with a database of an older schema; an exception prevents the migration.
        accept_moved: whether to open a database that was moved to another one, to complete the move.

    Raises:
        DatabaseUnusable: it cannot be used, or is not the database of this data directory.
        NewerDatabaseError: a newer Famichat has migrated it.
        OSError: the data directory cannot be written to.
    """
    database = Database(url)
    try:
        check_file(database, data_dir)
        with problems_named(), database.migrating() as connection:
            check_connection(connection, data_dir, accept_moved=accept_moved)
            at = revision(connection)
        if at is not None and is_known(at) and at != newest():
            _wait_for_other_nodes(database)
            if before_migration is not None:
                before_migration(database)
        if at != newest():
            from famichat.storage.migrate import upgrade  # noqa: PLC0415 - loads a large library

            with problems_named():
                upgrade(database)
        with problems_named(), database.migrating() as connection:
            data_dir.note_database(str(connection.execute(_ID).scalar_one()))
    except BaseException:
        database.close()
        raise
    return database


def _wait_for_other_nodes(database: Database) -> None:
    """Wait until no node of the older release is running, which would not understand the new schema.

    Raises:
        DatabaseUnusable: `database_in_use`: one still is. A node that was killed is forgotten sooner.
    """
    if database.dialect == "sqlite":
        return
    ends_at = time.monotonic() + NODES_SECONDS
    while True:
        with database.migrating() as connection:
            if not are_running(connection):
                return
        if time.monotonic() > ends_at:
            raise DatabaseUnusable("database_in_use")
        time.sleep(_POLL_SECONDS)


def check_file(database: Database, data_dir: DataDir) -> None:
    """Check that the file of an SQLite database exists, if it existed once. Call it before the first connection.

    Raises:
        DatabaseUnusable: `database_missing`.
    """
    if database.dialect == "sqlite" and data_dir.database_id() is not None:
        file = Path(str(database.url.database))
        if not file.exists() or file.stat().st_size == 0:
            raise DatabaseUnusable("database_missing")


def check_connection(connection: Connection, data_dir: DataDir, *, accept_moved: bool = False) -> None:
    """Check the server's version, encoding and write access, and that the database is the one of the data directory.

    Args:
        connection: to the database.
        data_dir: records the id of the database.
        accept_moved: see `open_database`.

    Raises:
        DatabaseUnusable: one of them is wrong.
    """
    if connection.dialect.name == "postgresql":
        _check_postgres(connection)
    if inspect(connection).has_table(MOVED) and not accept_moved:
        raise DatabaseUnusable("database_moved")
    if inspect(connection).has_table(MOVING):
        raise DatabaseUnusable("database_incomplete")
    recorded = data_dir.database_id()
    if recorded is None:
        return
    if revision(connection) is None:
        raise DatabaseUnusable("database_missing")
    columns = {column["name"] for column in inspect(connection).get_columns("history")}
    # An older schema has no id; the migration creates one.
    if "database_id" in columns and str(connection.execute(_ID).scalar_one()) != recorded:
        raise DatabaseUnusable("database_swapped")


def _check_postgres(connection: Connection) -> None:
    settings = ("server_version_num", "server_encoding", "transaction_read_only")
    version, encoding, read_only = (
        connection.execute(text("SELECT current_setting(:name)"), {"name": name}).scalar_one() for name in settings
    )
    if int(version) < _OLDEST_POSTGRES:
        raise DatabaseUnusable("database_version")
    if encoding != "UTF8":
        raise DatabaseUnusable("database_encoding")
    if read_only == "on":
        raise DatabaseUnusable("database_read_only")


@contextmanager
def problems_named() -> Iterator[None]:
    """Raise DatabaseUnusable instead of a driver's error that an operator can do something about."""
    try:
        yield
    except DBAPIError as error:
        raise problem_of(error.orig) or error from error
