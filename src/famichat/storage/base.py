"""What every table shares: named constraints, ids as text, times in UTC.

Ids are UUIDs of version 7 (RFC 9562), written in Python as their 36 characters, so that one value serves the wire, the
code and both databases.
"""

from datetime import UTC, datetime
from typing import Annotated, Any

import uuid_utils
from sqlalchemy import CHAR, DateTime, Dialect, MetaData, Uuid
from sqlalchemy.orm import DeclarativeBase, mapped_column
from sqlalchemy.types import TypeDecorator, TypeEngine

NAMING_CONVENTION = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


def new_id() -> str:
    """A fresh id: a UUID of version 7, so ids made later sort later."""
    return str(uuid_utils.uuid7())


def is_id(text: object) -> bool:
    """Whether `text` is an id as this server writes them: 36 lower-case characters of a UUID."""
    if not isinstance(text, str) or len(text) != 36:  # noqa: PLR2004 - RFC 9562 section 4
        return False
    try:
        return str(uuid_utils.UUID(text)) == text
    except ValueError:
        return False


def now() -> datetime:
    """The present moment, in UTC."""
    return datetime.now(UTC)


def rfc3339(moment: datetime) -> str:
    """A moment as the wire writes it, such as `2026-11-23T05:30:12.345678Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class Id(TypeDecorator[str]):
    """An id column: PostgreSQL's own `uuid`, 36 characters on SQLite, a `str` in Python."""

    impl = CHAR(36)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Choose the column type of this database."""
        if dialect.name == "postgresql":
            return dialect.type_descriptor(Uuid(as_uuid=False))
        return dialect.type_descriptor(CHAR(36))


class UtcDateTime(TypeDecorator[datetime]):
    """A moment in time: `timestamptz` on PostgreSQL, text in UTC on SQLite, an aware `datetime` in Python."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse a time without a zone: it would mean something else on each machine."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment needs its time zone")
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give back UTC, whatever the connection's zone is."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    """The root of every record."""

    metadata = MetaData(naming_convention=NAMING_CONVENTION)
    type_annotation_map = {datetime: UtcDateTime}  # noqa: RUF012 - SQLAlchemy reads a plain dict here


IdColumn = Annotated[str, mapped_column(Id)]
PrimaryKey = Annotated[str, mapped_column(Id, primary_key=True, default=new_id)]
Created = Annotated[datetime, mapped_column(UtcDateTime, default=now)]
Updated = Annotated[datetime, mapped_column(UtcDateTime, default=now, onupdate=now)]
