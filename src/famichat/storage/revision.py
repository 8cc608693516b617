"""The schema revision of a database, and those that this program knows, without Alembic.

Alembic is a large library. A start whose database is up to date does not load it; `migrate.py` does.
"""

from pathlib import Path

from sqlalchemy import Connection, inspect, text

MIGRATIONS = Path(__file__).parent / "migrations"


class NewerDatabaseError(Exception):
    """The database was migrated by a newer version of Famichat. Nothing was changed."""

    def __init__(self, revision: str) -> None:
        super().__init__(f"The database is at revision {revision}, which is newer than this version of Famichat")
        self.revision = revision


def newest() -> str:
    """Return the revision that this program works with."""
    return max(_known())


def revision(connection: Connection) -> str | None:
    """Return the revision of a database, or None if it is empty."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    at: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()
    return at


def is_known(revision: str) -> bool:
    """Return whether this program can migrate a database from that revision."""
    return revision in _known()


def _known() -> set[str]:
    """Return the number with which the name of each migration's file begins, which is its revision."""
    return {file.name.partition("_")[0] for file in (MIGRATIONS / "versions").glob("[0-9]*.py")}
