"""Counts the rows that a database visits while it answers, which shows a scan that grows with the data."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg
from sqlalchemy import event

from famichat.storage.database import Database

STEPS_PER_ROW = 5
"""How many instructions SQLite's virtual machine needs at least for a visited row."""
# `history` has one row. The others are the values of a batch, and subqueries with a plan of their own.
_TABLES = re.compile(r"^SCAN (?!history|anon_|wanted|json_each|\(subquery|CONSTANT|\d)")
# Small tables are read in full, whatever their indexes. The count is to show what happens when they grow.
_INDEXES_ONLY = ("SET enable_seqscan = off", "SET enable_indexonlyscan = off")


@dataclass
class Visited:
    """What a database visited during a measurement.

    Attributes:
        rows: the number of rows; for SQLite an upper limit of it, by the instructions executed.
        scans: the statements that read a whole table, each with its plan (SQLite only).
    """

    rows: int = 0
    scans: list[str] = field(default_factory=list)


@contextmanager
def visited_rows(database: Database) -> Iterator[Visited]:
    """Count the rows that all transactions of the block visit."""
    measure = _on_sqlite if database.dialect == "sqlite" else _on_postgres
    with measure(database) as visited:
        yield visited


@contextmanager
def _on_sqlite(database: Database) -> Iterator[Visited]:
    visited, steps, statements = Visited(), [0], list[str]()

    def step() -> None:
        steps[0] += 1

    def start(connection: sqlite3.Connection, *_: Any) -> None:
        connection.set_progress_handler(step, 1)
        connection.set_trace_callback(statements.append)

    def stop(connection: sqlite3.Connection, *_: Any) -> None:
        connection.set_progress_handler(None, 1)
        connection.set_trace_callback(None)
        for statement in statements:
            if statement.startswith(("SELECT", "WITH", "UPDATE", "INSERT", "DELETE")):
                plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}")]
                visited.scans += [f"{statement}: {plan}" for each in plan if _TABLES.match(each)]
        statements.clear()

    with _listening(database, start, stop):
        yield visited
    visited.rows = steps[0] // STEPS_PER_ROW


@contextmanager
def _on_postgres(database: Database) -> Iterator[Visited]:
    visited = Visited()

    def start(connection: psycopg.Connection[Any], *_: Any) -> None:
        for setting in _INDEXES_ONLY:
            connection.execute(setting)
        connection.commit()

    def stop(connection: psycopg.Connection[Any], *_: Any) -> None:
        connection.execute("SELECT pg_stat_force_next_flush()")
        connection.commit()

    before = _fetched(database)
    with _listening(database, start, stop):
        yield visited
    visited.rows = _fetched(database) - before


def _fetched(database: Database) -> int:
    with psycopg.connect(database.url.render_as_string(hide_password=False)) as connection:
        counters = "SELECT sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0)) FROM pg_stat_user_tables"
        row = connection.execute(counters).fetchone()
    return 0 if row is None else int(row[0])


@contextmanager
def _listening(database: Database, start: Any, stop: Any) -> Iterator[None]:
    pools = {database._reading.pool, database._writing.pool, database._journaling.pool}
    for pool in pools:
        event.listen(pool, "checkout", start)
        event.listen(pool, "checkin", stop)
    try:
        yield
    finally:
        for pool in pools:
            event.remove(pool, "checkout", start)
            event.remove(pool, "checkin", stop)
