"""The connections to a database, for `storage.database`.

On SQLite exactly one connection of the process writes. On PostgreSQL no statement, lock or silent connection takes more
than about four seconds.
"""

import sqlite3
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.pool import QueuePool

_BUSY_SECONDS = 5
_STATEMENT_MS, _LOCK_MS, _IDLE_MS, _UNACKNOWLEDGED_MS = 4000, 3000, 5000, 4000
# Failed statements are logged without their parameters, which may contain a password hash.
_NO_PARAMETERS_IN_LOGS: Any = {"hide_parameters": True}


def sqlite_writer(url: URL) -> Engine:
    """Return the engine of the only connection that writes."""
    path = sqlite_path(url)

    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        # FULL, because with NORMAL a power cut can lose commits that were already acknowledged.
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", "secure_delete = ON"):
            connection.execute(f"PRAGMA {pragma}")
        return connection

    engine = create_engine(
        "sqlite://", creator=connect, poolclass=QueuePool, pool_size=1, max_overflow=0, **_NO_PARAMETERS_IN_LOGS
    )
    event.listen(engine, "begin", _begin_immediate)
    return engine


def _begin_immediate(connection: Connection) -> None:
    # The driver's BEGIN is deferred: it would take the write lock late and then fail instead of waiting.
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def sqlite_readers(url: URL, connections: int) -> Engine:
    """Return an engine of read-only connections."""
    address = f"file:{quote(str(sqlite_path(url)))}?mode=ro"

    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(
            address, uri=True, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        connection.execute("PRAGMA query_only = ON")
        return connection

    engine = create_engine(
        "sqlite://",
        creator=connect,
        poolclass=QueuePool,
        pool_size=connections,
        max_overflow=0,
        **_NO_PARAMETERS_IN_LOGS,
    )
    event.listen(engine, "begin", _begin)
    return engine


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")


def sqlite_path(url: URL) -> Path:
    """Return the file of an SQLite database.

    Raises:
        ValueError: the URL names none.
    """
    if not url.database:
        raise ValueError("an SQLite database needs a file, so that every connection sees the same data")
    return Path(url.database)


def postgres(
    url: URL, isolation: Literal["SERIALIZABLE", "READ COMMITTED"], connections: int, *, ping: bool = True
) -> Engine:
    """Return an engine of connections to PostgreSQL, all with time limits.

    Args:
        url: the database.
        isolation: of the transactions.
        connections: how many.
        ping: whether to test a connection before each use.
    """
    options: dict[str, Any] = {
        "connect_timeout": 3,
        "client_encoding": "UTF8",  # psycopg returns text as bytes if the database's encoding is SQL_ASCII
        # A connection that is cut silently fails after about four seconds: with data under way because nothing is
        # acknowledged (Linux only), without because no keepalive is answered.
        "tcp_user_timeout": _UNACKNOWLEDGED_MS,
        "keepalives": 1,
        "keepalives_idle": 2,
        "keepalives_interval": 1,
        "keepalives_count": 2,
        # psycopg reads dates in the ISO style only.
        "options": f"-c statement_timeout={_STATEMENT_MS} -c lock_timeout={_LOCK_MS} "
        f"-c idle_in_transaction_session_timeout={_IDLE_MS} -c timezone=UTC -c DateStyle=ISO",
    }
    return create_engine(
        url.set(drivername="postgresql+psycopg"),
        isolation_level=isolation,
        pool_size=connections,
        max_overflow=0,
        pool_timeout=_BUSY_SECONDS,
        pool_pre_ping=ping,
        connect_args=options,
        **_NO_PARAMETERS_IN_LOGS,
    )
