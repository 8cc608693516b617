"""The database, SQLite or PostgreSQL, and the threads that use it.

Domain functions are plain functions that take a `Session`. Each runs inside one transaction in a database thread, so
the event loop never waits for the disk and no lock is held across an `await`.

    conversation = await database.transaction(lambda session: create_self_conversation(session, user_id))

On SQLite exactly one connection of the process writes and checkpoints, because SQLite 3.7.0 to 3.51.2 can corrupt a WAL
when two do (https://www.sqlite.org/wal.html, section 11). All other connections are read-only. On PostgreSQL every
transaction is serialisable and is retried after a serialisation failure. The exception are those that lock all rows
they depend on before they read (`between_batches` with `lock`, and the journal): READ COMMITTED is enough for these.
"""

import asyncio
import random
import sqlite3
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext, suppress
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeVar

from sqlalchemy import Connection, make_url, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session
from sqlalchemy.pool import QueuePool

from famichat.storage.disk_reserve import DiskReserve
from famichat.storage.engines import postgres, sqlite_path, sqlite_readers, sqlite_writer
from famichat.storage.errors import StorageUnavailable, StorageUnreachable
from famichat.storage.responsiveness import Responsiveness
from famichat.storage.shared_commit import SharedCommit
from famichat.storage.turns import ENTER, contended, turn
from famichat.telemetry import emit, events

T = TypeVar("T")

MAX_ATTEMPTS = 12
_SERIALIZATION_FAILURE, _DEADLOCK = "40001", "40P01"
_READERS = 4
_AUTHENTICATORS = 2
_UNDELAYED = 1
_POSTGRES_CONNECTIONS = 8
_LOCK_CONVERSATIONS = f"SELECT {ENTER} FROM conversations WHERE id = ANY(%s::uuid[]) ORDER BY id FOR NO KEY UPDATE"  # noqa: S608 - constants only  # nosec B608


class Database:
    """Runs transactions on one database, each in a thread of its pools.

    Args:
        url: `sqlite:///absolute/path.db` or `postgresql://user@host/name`.
    """

    def __init__(self, url: str) -> None:
        self.url = make_url(url)
        self.dialect: Literal["sqlite", "postgresql"] = "sqlite" if self.url.drivername == "sqlite" else "postgresql"
        if self.dialect == "sqlite":
            self._writing = self._journaling = sqlite_writer(self.url)
            self._reading = sqlite_readers(self.url, _READERS + _AUTHENTICATORS + _UNDELAYED)
            self._writers = self._journalists = ThreadPoolExecutor(1, "database-writer")
            self._readers = ThreadPoolExecutor(_READERS, "database-reader")
        else:
            self._writing = self._reading = postgres(
                self.url, "SERIALIZABLE", _POSTGRES_CONNECTIONS + _AUTHENTICATORS + _UNDELAYED
            )
            # The journal locks the rows it depends on, so it never has to retry. It needs no ping, either: a batch that
            # fails because the connection was lost meanwhile is written again (`storage.halving`).
            self._journaling = postgres(self.url, "READ COMMITTED", 1, ping=False)
            self._writers = self._readers = ThreadPoolExecutor(_POSTGRES_CONNECTIONS, "database")
            self._journalists = ThreadPoolExecutor(1, "database-journal")
        self._authenticators = ThreadPoolExecutor(_AUTHENTICATORS, "database-authenticator")
        self._undelayed = ThreadPoolExecutor(_UNDELAYED, "database-undelayed")
        self._repeating = threading.Lock()
        self._responsiveness = Responsiveness()
        self._reserve: DiskReserve | None = None
        self._driver: Any = self._journaling.dialect.loaded_dbapi
        self.refused: tuple[type[Exception], ...] = (self._driver.IntegrityError, self._driver.DataError)
        self.shared_commit = SharedCommit(self)

    @property
    def file(self) -> Path | None:
        """The file of an SQLite database; None for PostgreSQL."""
        return sqlite_path(self.url) if self.dialect == "sqlite" else None

    async def transaction(self, work: Callable[[Session], T]) -> T:
        """Run `work` in a serialisable transaction on a writer thread and commit; see `run`."""
        return await self._in_thread(self._writers, "transaction", partial(self.run, work))

    async def between_batches(self, work: Callable[[Session], T], lock: Collection[str] = ()) -> T:
        """Run `work` like `transaction`, but in the journal's thread, between two of its batches.

        Use it for every change that ends a user's access. When this returns, no message stored by this process after
        the commit has been broadcast yet, so the caller can still close the user's channels in time.

        Args:
            work: see `run`.
            lock: ids of conversations to lock before `work` reads, as the journal does. On PostgreSQL the transaction
                then is not serialisable and never loses a race against the journal of another node. Everything that
                `work` depends on must be protected by these locks, by a lock of its own or by a constraint.
        """
        return await self._in_thread(self._journalists, "transaction", partial(self.run, work, sorted(lock)))

    async def transaction_with_reserve(self, work: Callable[[Session], T]) -> T:
        """Run `work` like `transaction`; on a full disk, use the space reserved by `reserve_disk_space`."""
        return await self._in_thread(self._writers, "transaction", partial(self._run_with_reserve, work))

    async def reserve_disk_space(self) -> None:
        """Reserve space for `transaction_with_reserve` on SQLite. PostgreSQL has its own disk."""
        if self.dialect == "sqlite":
            path = sqlite_path(self.url)
            self._reserve = DiskReserve(path.with_name(f"{path.name}-reserve"))
            await asyncio.get_running_loop().run_in_executor(self._writers, self._reserve.hold)

    async def read(self, work: Callable[[Session], T]) -> T:
        """Run read-only `work` on a consistent snapshot; see `run_read`."""
        return await self._in_thread(self._readers, "read", partial(self.run_read, work))

    async def read_for_authentication(self, work: Callable[[Session], T]) -> T:
        """Run read-only `work` like `read`, in threads of its own.

        A request is authenticated before it costs anything else. If thousands of clients reconnect, that must not wait
        behind their joins, or the handshakes of the last ones time out.
        """
        return await self._in_thread(self._authenticators, "read", partial(self.run_read, work))

    async def read_undelayed(self, work: Callable[[Session], T]) -> T:
        """Run read-only `work` like `read`, in a thread and on a connection that nothing else uses.

        For a read that must not wait behind the requests of clients, because the server depends on its result. It is
        also tried while other calls are refused because the database is silent.
        """
        return await asyncio.get_running_loop().run_in_executor(self._undelayed, self.run_read, work)

    async def ping(self) -> None:
        """Run a trivial query, to find out whether the database answers.

        Raises:
            StorageUnavailable: it does not.
        """
        await self.read_for_authentication(lambda session: session.execute(text("SELECT 1")))

    async def _in_thread(self, threads: ThreadPoolExecutor, operation: str, work: Callable[[], T]) -> T:
        """Run `work` in a thread. With PostgreSQL, wait no longer than `Responsiveness` allows.

        Work that has not begun by then is never done. Work that has begun may still succeed, unnoticed.

        Raises:
            StorageUnreachable: the database has been silent; nothing was executed.
            StorageUnavailable: the database did not answer in time; the outcome is unknown.
        """
        if self.dialect == "sqlite":
            return await asyncio.get_running_loop().run_in_executor(threads, work)
        self._responsiveness.admit(operation)
        asked_at = time.monotonic()
        submitted = threads.submit(work)
        done = asyncio.wrap_future(submitted)
        try:
            while not done.done() and (left := self._responsiveness.seconds_left(asked_at)) > 0:
                await asyncio.wait({done}, timeout=left)
            if not done.done():
                self._responsiveness.fell_silent()
                raise _unavailable(operation, TimeoutError())
        finally:
            submitted.cancel()  # without effect if it has begun
        if not isinstance(done.exception(), StorageUnavailable):
            self._responsiveness.answered()
        return done.result()

    def run(self, work: Callable[[Session], T], lock: Sequence[str] = ()) -> T:
        """Run `work` in a serialisable transaction, retrying serialisation failures up to `MAX_ATTEMPTS` times.

        When it is repeated, the journals of all nodes wait with the conversations that it locked before (see
        `storage.turns`), and only with these.

        With `lock`, run it in the journal's thread instead, as `between_batches` does.

        `work` may run more than once, so its side effects outside the session must be idempotent; broadcast after the
        commit. Do not call this from the event loop, nor (on SQLite) from two threads at the same time.

        Raises:
            StorageUnavailable: the database is full, unreachable or damaged, or every attempt failed to serialise.
            Exception: any exception that `work` raises, after a rollback.
        """
        self._keep_reserve("transaction")
        return self._run(work, lock)

    def _run_with_reserve(self, work: Callable[[Session], T]) -> T:
        try:
            return self._run(work)
        except StorageUnavailable as error:
            if self._reserve is None or not _is_disk_full(error) or not self._reserve.release():
                raise
        return self._run(work)

    def _keep_reserve(self, operation: str) -> None:
        """Raise StorageUnavailable while only sign-ins may use the disk."""
        if self._reserve is not None and not self._reserve.hold():
            raise StorageUnavailable(operation)

    def _run(self, work: Callable[[Session], T], lock: Sequence[str] = ()) -> T:
        engine = self._journaling if lock else self._writing
        locked = set[str]()
        for attempt in range(1, MAX_ATTEMPTS + 1):
            # Those that lost a race run one after the other, or of fifty concurrent ones some would lose every race.
            alone = self._repeating if attempt > 1 else nullcontext()
            try:
                with alone, turn(engine, locked) as session:
                    try:
                        with session.begin():
                            self._connect(session, "transaction")
                            if lock and self.dialect == "postgresql":
                                session.connection().exec_driver_sql(_LOCK_CONVERSATIONS, (list(lock),))
                            return work(session)
                    finally:
                        locked |= contended(session)
            except DBAPIError as error:
                if not _lost_a_race(error) or attempt == MAX_ATTEMPTS:
                    raise self._explain(error, "transaction") from error
            emit(events.TransactionRetried(attempt=attempt))
            time.sleep(random.uniform(0, 0.002 * 2 ** min(attempt, 6)))  # noqa: S311 - jitter is no secret  # nosec B311
        raise AssertionError("the last attempt returns or raises")  # pragma: no cover - for the type checker

    def run_read(self, work: Callable[[Session], T]) -> T:
        """Run `work` on a consistent read-only snapshot.

        Raises:
            StorageUnavailable: the database did not answer.
        """
        try:
            with Session(self._reading, expire_on_commit=False) as session, session.begin():
                self._connect(session, "read")
                if self.dialect == "postgresql":
                    session.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
                return work(session)
        except DBAPIError as error:
            raise self._explain(error, "read") from error

    async def on_journal(self, work: Callable[[], T]) -> T:
        """Run `work` in the journal's thread: the writer thread on SQLite, a dedicated one on PostgreSQL.

        Raises:
            StorageUnavailable: see `run`.
        """
        return await self._in_thread(self._journalists, "journal", work)

    @contextmanager
    def journal_transaction(self, lock: Collection[str] = ()) -> Iterator[Any]:
        """Yield a raw driver cursor in a transaction that commits at the end, without the ORM's overhead.

        Args:
            lock: ids of conversations to lock until the commit, in this order. SQLite has one writer and locks nothing.

        Raises:
            StorageUnavailable: the database cannot store anything now, or did not confirm the commit.
        """
        self._keep_reserve("journal")
        try:
            connection = self._journaling.raw_connection()
        except self._driver.OperationalError as error:  # the driver's exception: SQLAlchemy has not wrapped it yet
            raise _unavailable("journal", error, StorageUnreachable) from error
        try:
            cursor = connection.cursor()
            if self.dialect == "sqlite":
                cursor.execute("BEGIN IMMEDIATE")
                yield cursor
                connection.commit()
            else:
                driver: Any = connection.driver_connection
                with driver.pipeline():  # the reply to a statement is awaited when it is needed, at the latest here
                    if lock:
                        cursor.execute(_LOCK_CONVERSATIONS, (list(lock),))
                    yield cursor
                    connection.commit()
        except self._driver.DatabaseError as error:
            if not self._cannot_now(error):
                raise
            # After a failed commit the state of the connection is unknown, so the next batch gets a new one. On SQLite,
            # roll back first: a closed connection keeps its write lock as long as a cursor, in the traceback, refers to
            # it (https://www.sqlite.org/c3ref/close.html).
            if self.dialect == "sqlite":
                with suppress(self._driver.Error):
                    connection.rollback()
            connection.invalidate()
            raise _unavailable("journal", error) from error
        finally:
            connection.close()

    @contextmanager
    def migrating(self) -> Iterator[Connection]:
        """Yield the writing connection in one transaction, for schema changes.

        On SQLite foreign keys are off meanwhile: changing a constraint copies the table, and dropping the old one must
        not cascade to the rows that reference it (https://www.sqlite.org/lang_altertable.html#otheralter).
        """
        with self._writing.connect() as connection:
            if self.dialect == "postgresql":
                connection.execution_options(isolation_level="READ COMMITTED")
            with _foreign_keys_off(connection), connection.begin():
                lift_time_limits(connection)
                yield connection

    @contextmanager
    def autocommit(self) -> Iterator[Connection]:
        """Yield a PostgreSQL connection outside any transaction, without a time limit for its statements."""
        with self._writing.connect() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT")
            connection.exec_driver_sql("SET statement_timeout = 0")
            try:
                yield connection
            finally:
                connection.exec_driver_sql("RESET statement_timeout")

    @contextmanager
    def only_one(self, lock: int) -> Iterator[bool]:
        """Yield whether this process is the only one in the block, of all that use the database.

        Args:
            lock: identifies the block. On SQLite, the lock of the data directory already excludes other processes.
        """
        if self.dialect == "sqlite":
            yield True
            return
        with self.autocommit() as connection:
            is_mine = bool(connection.execute(text("SELECT pg_try_advisory_lock(:lock)"), {"lock": lock}).scalar_one())
            try:
                yield is_mine
            finally:
                if is_mine:
                    connection.execute(text("SELECT pg_advisory_unlock(:lock)"), {"lock": lock})

    def close(self) -> None:
        """Finish running transactions and close every connection.

        If this process wrote to SQLite, the database file is complete afterwards: a copy of it alone has every commit.
        """
        for executor in (self._journalists, self._writers, self._readers, self._authenticators, self._undelayed):
            executor.shutdown(wait=True)
        # Readers first: the WAL can be emptied only when no reader uses it, and SQLite deletes it when the last
        # connection closes, if that connection may write.
        self._reading.dispose()
        if self.dialect == "sqlite" and self._has_written():
            self._empty_wal()
        for engine in (self._journaling, self._writing):
            engine.dispose()

    def _has_written(self) -> bool:
        pool = self._writing.pool
        return isinstance(pool, QueuePool) and pool.checkedin() > 0

    def _empty_wal(self) -> None:
        """Write the WAL back into the database file, also while another program has the database open."""
        try:
            with self._writing.connect() as connection:
                driver: Any = connection.connection.driver_connection  # outside the transaction that SQLAlchemy begins
                driver.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except DBAPIError as error:
            emit(events.StorageFailed(operation="checkpoint", error_type=type(error.orig).__name__))
        except sqlite3.Error as error:
            emit(events.StorageFailed(operation="checkpoint", error_type=type(error).__name__))

    def _connect(self, session: Session, operation: str) -> None:
        """Connect a session now, to tell a database that cannot be reached from a commit whose outcome is unknown."""
        try:
            session.connection()
        except DBAPIError as error:
            if error.statement is None and self._cannot_now(error.orig):
                raise _unavailable(operation, error.orig, StorageUnreachable) from error
            raise

    def _explain(self, error: DBAPIError, operation: str) -> Exception:
        """Turn a failure of the database into StorageUnavailable; return a faulty statement's error unchanged."""
        if not (self._cannot_now(error.orig) or error.connection_invalidated or _lost_a_race(error)):
            return error
        return _unavailable(operation, error.orig)

    def _cannot_now(self, error: BaseException | None) -> bool:
        # SQLite reports a damaged file as a plain DatabaseError.
        return isinstance(error, self._driver.OperationalError) or type(error) is self._driver.DatabaseError


def lift_time_limits(connection: Connection) -> None:
    """Let the rest of a transaction take as long as it needs: for migrations, backups and moves, never for requests."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
        connection.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = 0")


@contextmanager
def _foreign_keys_off(connection: Connection) -> Iterator[None]:
    if connection.dialect.name == "postgresql":
        yield
        return
    driver: Any = connection.connection.driver_connection  # the pragma is a no-op inside a transaction
    driver.execute("PRAGMA foreign_keys = OFF")
    try:
        yield
    finally:
        driver.execute("PRAGMA foreign_keys = ON")


def _unavailable(
    operation: str, error: BaseException | None, kind: type[StorageUnavailable] = StorageUnavailable
) -> StorageUnavailable:
    emit(events.StorageFailed(operation=operation, error_type=type(error).__name__))
    return kind(operation)


def _is_disk_full(error: StorageUnavailable) -> bool:
    cause = error.__cause__
    driver_error = cause.orig if isinstance(cause, DBAPIError) else cause
    return getattr(driver_error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL


def _lost_a_race(error: DBAPIError) -> bool:
    return getattr(error.orig, "sqlstate", None) in {_SERIALIZATION_FAILURE, _DEADLOCK}
