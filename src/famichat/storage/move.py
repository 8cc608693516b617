"""Moves everything from one database to another, SQLite or PostgreSQL, through the models.

Rows are copied table by table in the order of their primary keys, so the greatest key in the target is the position at
which a killed move continues. When every table has the same digest in both databases, the source is marked as moved;
then the target loses its mark of an unfinished move. At no moment can both be used.
"""

from collections.abc import Callable
from typing import Any, Final

from sqlalchemy import (
    Column,
    Connection,
    MetaData,
    String,
    Table,
    bindparam,
    func,
    inspect,
    literal,
    select,
    text,
    tuple_,
)

from famichat.storage.base import Base
from famichat.storage.database import Database
from famichat.storage.epoch import DatabaseEpoch
from famichat.storage.errors import StorageError
from famichat.storage.migrate import upgrade
from famichat.storage.opening import MOVED, MOVING
from famichat.storage.problems import DatabaseUnusable
from famichat.storage.table_digest import TableDigest, digest_of, key_order

ROWS_AT_ONCE: Final = 5000
_notes = MetaData()
_DATABASE_ID: Final = text("SELECT database_id FROM history")
_moving = Table(MOVING, _notes, Column("database_id", String, primary_key=True))
_moved = Table(MOVED, _notes, Column("moved_to", String, primary_key=True))


class TargetNotEmpty(StorageError):
    """The target of a move contains data that is not of this move. Nothing was changed."""

    def __init__(self) -> None:
        super().__init__("The target database is not empty. Create an empty one, and move to it")


class MoveDiffers(StorageError):
    """A table differs between the databases after the move. The target cannot be used; the source is unchanged."""

    def __init__(self, table: str) -> None:
        super().__init__(
            f"After the move, the table {table} differs. The source is unchanged; try an empty target again"
        )


def move(source: Database, target: Database, on_progress: Callable[[str, int], None]) -> dict[str, TableDigest]:
    """Copy all rows, compare the databases and mark the source as moved. Continues a move that was killed.

    Args:
        source: a database of the newest schema that no server uses.
        target: an empty database, or one of an unfinished move of the same source.
        on_progress: called after each transaction with a table and its number of rows so far.

    Returns:
        the digest of each table.

    Raises:
        TargetNotEmpty: the target contains other data.
        MoveDiffers: a table differs afterwards.
        DatabaseUnusable: `database_moved` if the source was moved to another database.
    """
    with source.migrating() as read:
        database_id = str(read.execute(_DATABASE_ID).scalar_one())
        if inspect(read).has_table(MOVED):
            # Killed after the last comparison: only the end is missing.
            _check_moved_to(target, read, database_id)
            digests = {table.name: digest_of(read, table) for table in Base.metadata.sorted_tables}
        else:
            _prepare(target, database_id)
            for table in Base.metadata.sorted_tables:
                _copy(table, read, target, on_progress)
            digests = _compare(read, target)
            _moved.create(read)
            read.execute(_moved.insert().values(moved_to=target.url.render_as_string()))
    with target.migrating() as write:
        _moving.drop(write, checkfirst=True)
    return digests


def _check_moved_to(target: Database, read: Connection, database_id: str) -> None:
    """Raise DatabaseUnusable unless the marked source was moved to this target."""
    with target.migrating() as connection:
        is_known = inspect(connection).has_table(DatabaseEpoch.__tablename__)
        found = str(connection.execute(_DATABASE_ID).scalar_one()) if is_known else None
    moved_to = read.execute(select(_moved.c.moved_to)).scalar_one()
    if (moved_to, database_id) != (target.url.render_as_string(), found):
        raise DatabaseUnusable("database_moved")


def _prepare(target: Database, database_id: str) -> None:
    with target.migrating() as write:
        if inspect(write).has_table(MOVING):
            if write.execute(select(_moving.c.database_id)).scalar_one() != database_id:
                raise TargetNotEmpty
        elif inspect(write).get_table_names():
            raise TargetNotEmpty
        else:
            _moving.create(write)
            write.execute(_moving.insert().values(database_id=database_id))
    upgrade(target)


def _copy(table: Table, read: Connection, target: Database, on_progress: Callable[[str, int], None]) -> None:
    """Copy the rows that the target does not have yet, in transactions of `ROWS_AT_ONCE` rows."""
    own_references = [key.parent for key in table.foreign_keys if key.column.table is table]
    is_complete = False
    while not is_complete:
        with target.migrating() as write:
            if table.name == DatabaseEpoch.__tablename__:
                write.execute(table.delete())  # the row that the migrations of the target made
            rows = _next_rows(read, table, _greatest_key(write, table))
            is_complete = len(rows) < ROWS_AT_ONCE
            if rows:
                # A row may refer to one with a greater key. These references follow when all rows are there.
                write.execute(table.insert(), [row | {column.name: None for column in own_references} for row in rows])
            if is_complete:
                for column in own_references:
                    _copy_references(column, read, write)
                _advance_identities(table, write)
            copied = write.execute(select(func.count()).select_from(table)).scalar_one()
        on_progress(table.name, copied)


def _greatest_key(connection: Connection, table: Table) -> tuple[Any, ...] | None:
    last_first = [column.desc() for column in key_order(connection, table)]
    row = connection.execute(select(*table.primary_key.columns).order_by(*last_first).limit(1)).first()
    return None if row is None else tuple(row)


def _next_rows(connection: Connection, table: Table, position: tuple[Any, ...] | None) -> list[dict[str, Any]]:
    key = key_order(connection, table)
    query = select(table).order_by(*key).limit(ROWS_AT_ONCE)
    if position is not None:
        columns = table.primary_key.columns
        given = [literal(value, column.type) for column, value in zip(columns, position, strict=True)]
        query = query.where(tuple_(*key) > tuple_(*given))
    return [row._asdict() for row in connection.execute(query)]


def _copy_references(column: Column[Any], read: Connection, write: Connection) -> None:
    """Copy the references of rows to rows of the same table, and change nothing else."""
    table: Any = column.table
    (key,) = table.primary_key.columns
    unchanged = {each.name: each for each in table.columns if each.onupdate is not None}
    statement = table.update().where(key == bindparam("row")).values({column.name: bindparam("to"), **unchanged})
    query = select(key, column).where(column.is_not(None)).execution_options(yield_per=ROWS_AT_ONCE)
    for part in read.execute(query).partitions():
        write.execute(statement, [{"row": row, "to": to} for row, to in part])


def _advance_identities(table: Table, write: Connection) -> None:
    """Let PostgreSQL generate numbers after those that were copied."""
    if write.dialect.name != "postgresql":
        return
    for column in table.columns:
        sequence = write.execute(select(func.pg_get_serial_sequence(table.name, column.name))).scalar_one()
        if sequence is not None:
            greatest = write.execute(select(func.max(column))).scalar_one()
            write.execute(select(func.setval(sequence, greatest or 1, greatest is not None)))


def _compare(read: Connection, target: Database) -> dict[str, TableDigest]:
    digests = {}
    with target.migrating() as write:
        for table in Base.metadata.sorted_tables:
            digests[table.name] = digest_of(read, table)
            if digest_of(write, table) != digests[table.name]:
                raise MoveDiffers(table.name)
    return digests
