"""A database that can lose the reply to a commit: the commit is stored, and the server gets an error."""

import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from unittest.mock import patch

from sqlalchemy import make_url

from famichat.storage.database import Database
from tests.support.lossy_proxy import LossyProxy

LoseReply = Callable[[], None]
"""Lose the reply to the next commit."""


@asynccontextmanager
async def lossy_commits(database_url: str, statement: bytes) -> AsyncIterator[tuple[Database, LoseReply]]:
    """Open a database whose commits can lose their reply.

    Args:
        database_url: the database. PostgreSQL loses its connection, at a proxy; SQLite reports an I/O error.
        statement: on PostgreSQL, only transactions on connections that have sent this statement are concerned.
    """
    if database_url.startswith("sqlite"):
        armed: list[bool] = []

        class Lossy(sqlite3.Connection):
            def commit(self) -> None:
                super().commit()
                if armed and armed.pop():
                    raise sqlite3.OperationalError("disk I/O error")

        with patch("sqlite3.connect", partial(sqlite3.connect, factory=Lossy)):
            database = Database(database_url)
            yield database, lambda: armed.append(True)
            database.close()
        return
    url = make_url(database_url)
    async with LossyProxy(url.port or 5432, statement) as proxy:
        proxied = Database(url.set(port=proxy.port).render_as_string(hide_password=False))
        yield proxied, proxy.lose_an_answer
        proxied.close()
