"""The table of everything that makes a database unusable, with what the operator can do about it.

A problem is recognised by the SQLSTATE of PostgreSQL or the error name of SQLite, and, for failed connections, by the
text of libpq, which has no codes.
"""

import re
from typing import NamedTuple

from famichat.storage.errors import StorageError


class Problem(NamedTuple):
    """One kind of problem: its stable code, what the operator reads, and the pattern that recognises it."""

    code: str
    sentence: str
    pattern: str = ""


PROBLEMS = {
    problem.code: problem
    for problem in (
        Problem(
            "database_moved",
            "The data of this database was moved to another one. Set FAMICHAT_DATABASE_URL to it, or, to go back, move "
            "it here into a new database",
        ),
        Problem(
            "database_incomplete",
            "Not everything was moved to this database yet. Run the same `famichat move` again",
        ),
        Problem(
            "database_password",
            "PostgreSQL does not accept this user or password. Correct them in FAMICHAT_DATABASE_URL",
            r'28P01|password authentication failed|no password supplied|role ".*" does not exist',
        ),
        Problem(
            "database_host",
            "The host name of the database cannot be resolved. Correct it in FAMICHAT_DATABASE_URL",
            r"could not translate host name|failed to resolve host|name resolution|Name or service not known"
            r"|nodename nor servname",
        ),
        Problem(
            "database_name",
            "PostgreSQL has no database of this name. Create it with `createdb --encoding=UTF8 --template=template0 "
            "NAME`, or correct FAMICHAT_DATABASE_URL",
            r'3D000|database ".*" does not exist',
        ),
        Problem(
            "database_option",
            "FAMICHAT_DATABASE_URL has a parameter that PostgreSQL does not know, or an invalid value. Correct it",
            r"invalid connection option|invalid \S+ value:|invalid integer value|invalid percent-encoded",
        ),
        Problem(
            "database_tls",
            "PostgreSQL does not offer TLS, or its certificate cannot be verified. Set it up there, or change sslmode "
            "in FAMICHAT_DATABASE_URL",
            r"does not support SSL|SSL was required|SSL error|certificate",
        ),
        Problem(
            "database_access",
            "PostgreSQL does not accept connections of this user from this machine. Add a line to its pg_hba.conf",
            r"pg_hba\.conf",
        ),
        Problem(
            "database_permission",
            "The PostgreSQL user may not create tables. As the owner of the database, run `GRANT USAGE, CREATE ON "
            "SCHEMA public TO` the user in FAMICHAT_DATABASE_URL",
            r"42501|3F000|permission denied",
        ),
        Problem(
            "database_read_only",
            "The database is read-only. Famichat must be able to write: connect to the primary server, check "
            "default_transaction_read_only, or the permissions of the SQLite file and its directory",
            r"25006|SQLITE_READONLY",
        ),
        Problem(
            "database_encoding",
            "The database does not use the encoding UTF8. Create a new one with `createdb --encoding=UTF8 "
            "--template=template0 NAME`",
        ),
        Problem(
            "database_in_use",
            "Other nodes of an older Famichat are running. Stop them all, then start this one again: it upgrades the "
            "database. Nothing was changed",
        ),
        Problem("database_version", "PostgreSQL 15 or newer is needed. Upgrade the database server"),
        Problem(
            "database_missing",
            "The database is missing or empty, but this data directory has been used with one. Restore your latest "
            "backup with `famichat restore FILE`. To start with an empty server, choose another FAMICHAT_DATA_DIR",
        ),
        Problem(
            "database_swapped",
            "This is another database than the one that this data directory belongs to. Correct FAMICHAT_DATABASE_URL "
            "or FAMICHAT_DATA_DIR, or restore a backup with `famichat restore FILE` into an empty data directory",
        ),
        Problem(
            "database_damaged",
            "The database file is damaged or truncated. Run `famichat doctor` for details. Then move the file away and "
            "restore your latest backup with `famichat restore FILE`",
            r"SQLITE_CORRUPT|SQLITE_NOTADB|XX001|XX002",
        ),
        Problem(
            "database_file",
            "The database file cannot be opened. Check that its directory exists and that this user may read and write "
            "in it",
            r"SQLITE_CANTOPEN|SQLITE_PERM|SQLITE_AUTH",
        ),
        Problem(
            "database_disk",
            "The disk of the database reports an error. Check it; if data is lost, restore your latest backup with "
            "`famichat restore FILE`",
            r"SQLITE_IOERR|58030",
        ),
        Problem("database_full", "The disk of the database is full. Make room on it", r"53100|SQLITE_FULL"),
        Problem(
            "database_busy",
            "The database is busy: another program uses it, or it is starting or has no free connections. Try again",
            r"SQLITE_BUSY|SQLITE_LOCKED|55P03|57P03|53300|is starting up|is shutting down|too many clients"
            r"|remaining connection slots",
        ),
        Problem(
            "unavailable",
            "The database does not answer. Start it, or correct FAMICHAT_DATABASE_URL. Nothing was changed",
            r"connection failed|Connection refused|timed? ?out|server closed the connection|No route to host"
            r"|Network is unreachable|08006|08001|57P01",
        ),
    )
}


class DatabaseUnusable(StorageError):
    """The database cannot be used; `code` is a key of `PROBLEMS`, and the message says what to do."""

    def __init__(self, code: str) -> None:
        super().__init__(PROBLEMS[code].sentence)
        self.code = code


def problem_of(error: BaseException | None) -> DatabaseUnusable | None:
    """Return what a driver's error means for the operator; None if it is no known problem, and so a bug.

    Args:
        error: an exception of sqlite3 or psycopg.
    """
    name = getattr(error, "sqlstate", None) or getattr(error, "sqlite_errorname", None) or ""
    for problem in PROBLEMS.values():
        if problem.pattern and re.search(problem.pattern, f"{name} {error}"):
            return DatabaseUnusable(problem.code)
    return None
