"""INSERT ... ON CONFLICT for SQLite and PostgreSQL; SQLAlchemy has a separate construct for each.

session.execute(insert_for(session, Receipt).values(...).on_conflict_do_nothing())
"""

from __future__ import annotations  # a dialect is imported only for its database

from typing import TYPE_CHECKING

from sqlalchemy.dialects import sqlite
from sqlalchemy.orm import Session

from famichat.storage.base import Base

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql


def insert_for(session: Session, record: type[Base]) -> sqlite.Insert | postgresql.Insert:
    """Return an INSERT into the table of `record` in the session's SQL dialect."""
    if session.get_bind().dialect.name == "sqlite":
        return sqlite.insert(record)
    from sqlalchemy.dialects import postgresql  # noqa: PLC0415 - not loaded on SQLite

    return postgresql.insert(record)
