"""Disk usage of the database."""

from sqlalchemy import text
from sqlalchemy.orm import Session

_STATEMENTS = {
    "sqlite": "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()",
    "postgresql": "SELECT pg_database_size(current_database())",
}


def database_bytes(session: Session) -> int:
    """Return the size of the whole database in bytes."""
    statement = text(_STATEMENTS[session.get_bind().dialect.name])
    return int(session.execute(statement).scalar_one())
