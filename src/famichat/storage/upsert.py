"""INSERT ... ON CONFLICT for SQLite and PostgreSQL; SQLAlchemy has a separate construct for each.

session.execute(insert_for(session, Receipt).values(...).on_conflict_do_nothing())
"""

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from famichat.storage.base import Base


def insert_for(session: Session, record: type[Base]) -> sqlite.Insert | postgresql.Insert:
    """Return an INSERT into the table of `record` in the session's SQL dialect."""
    return sqlite.insert(record) if session.get_bind().dialect.name == "sqlite" else postgresql.insert(record)
