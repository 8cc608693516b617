"""Gives a transaction that lost a race against the journal its turn in the conversations it changes.

A serialisable transaction of PostgreSQL fails if a row that it locks has changed since its first statement. Its
snapshot is older than any row lock it can take, so in a conversation that receives messages on other nodes without a
pause it could fail on every attempt. Therefore the journal holds a shared advisory lock on each conversation of its
batch. A transaction that is repeated takes the exclusive locks of the conversations it changes before it begins: then
no batch changes them between its snapshot and its commit. Batches of all other conversations are written meanwhile.

    note_contended(session, [conversation_id])      # in the work, before it locks the rows
    with turn(engine, contended(session)) as session, session.begin(): ...      # the next attempt
"""

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

ENTER = "pg_advisory_xact_lock_shared(uuid_hash_extended(id, 0))"
"""Waits until no transaction has its turn in the conversation `id`, and lets none begin until the commit.

An expression for the statement that locks the rows, so that it costs no statement of its own. PostgreSQL evaluates it
for one row after the other, in the order of the rows, each before it locks the row: otherwise it could deadlock.
"""

# All take the locks in the order of the ids: any other order could deadlock.
_TAKE = "SELECT pg_advisory_lock(uuid_hash_extended(id, 0)) FROM unnest(%s::uuid[]) AS id ORDER BY id"
_KEY = "famichat.contended"


def note_contended(session: Session, conversation_ids: Iterable[str]) -> None:
    """Record that a transaction locks conversations, for which it may lose a race."""
    session.info.setdefault(_KEY, set()).update(conversation_ids)


def contended(session: Session) -> set[str]:
    """Return the conversations that a transaction locked, or tried to lock."""
    noted: set[str] = session.info.get(_KEY, set())
    return noted


@contextmanager
def turn(engine: Engine, conversation_ids: Collection[str]) -> Iterator[Session]:
    """Yield a session in whose transactions no journal changes the given conversations. It locks no rows yet.

    Args:
        engine: the database.
        conversation_ids: the conversations; without any, nothing is locked.

    Raises:
        DBAPIError: the locks could not be taken in time, or in a deadlock.
    """
    if not conversation_ids:
        with Session(engine, expire_on_commit=False) as session:
            yield session
        return
    with (
        engine.connect() as connection,
        _exclusive(connection, sorted(conversation_ids)),
        Session(connection, expire_on_commit=False) as session,
    ):
        yield session


@contextmanager
def _exclusive(connection: Connection, conversation_ids: list[str]) -> Iterator[None]:
    try:
        # A transaction of its own: the one that follows takes its snapshot when the locks are held.
        with connection.begin():
            connection.exec_driver_sql(_TAKE, (conversation_ids,))
        yield
    finally:
        try:
            with connection.begin():
                connection.exec_driver_sql("SELECT pg_advisory_unlock_all()")
        except DBAPIError:
            connection.invalidate()  # the locks end with the connection
