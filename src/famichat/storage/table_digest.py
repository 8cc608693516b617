"""Row counts and hashes of whole tables, by which a copy of a database is compared with its source.

A value has one canonical form, whichever database it is read from, and rows are read in the order of their primary key.
"""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson
from sqlalchemy import Connection, MetaData, Table, collate, select
from sqlalchemy.types import String

from famichat.storage.database import lift_time_limits

_ROWS_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class TableDigest:
    """The number of rows of a table, and the SHA-256 of all of them, in hexadecimal."""

    rows: int
    sha256: str


def digest_of(connection: Connection, table: Table) -> TableDigest:
    """Read a whole table.

    Args:
        connection: in a transaction that sees one snapshot.
        table: its columns must have the types that the rows were written with.
    """
    digest, rows = hashlib.sha256(), 0
    query = select(table).order_by(*key_order(connection, table)).execution_options(yield_per=_ROWS_AT_ONCE)
    for row in connection.execute(query):
        digest.update(orjson.dumps([_canonical(value) for value in row], option=orjson.OPT_SORT_KEYS) + b"\n")
        rows += 1
    return TableDigest(rows, digest.hexdigest())


def digests_of_all(connection: Connection) -> dict[str, TableDigest]:
    """Read every table that the database has, whatever its schema."""
    lift_time_limits(connection)
    found = MetaData()
    found.reflect(connection)
    return {table.name: digest_of(connection, table) for table in found.sorted_tables}


def key_order(connection: Connection, table: Table) -> list[Any]:
    """Return the columns of the primary key, in an order of text that is the same in both databases: by code point."""
    postgres = connection.dialect.name == "postgresql"
    return [
        collate(column, "C")
        if postgres and isinstance(column.type.dialect_impl(connection.dialect), String)
        else column
        for column in table.primary_key.columns
    ]


def _canonical(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(UTC)
    return value
