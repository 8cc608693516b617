"""The broker over PostgreSQL: `LISTEN` and `NOTIFY` on one channel per deployment.

`NOTIFY` takes a lock that all databases of the server share, and holds it while its transaction is committed. So it
never runs in a transaction that stores messages, and its own does not wait for the disk: a lost notification is
repaired like any other lost message of the broker.

The connections must not go through PgBouncer in transaction mode, which has no `LISTEN`.
"""

import asyncio
import base64
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import psycopg
from psycopg import AsyncConnection, sql

from famichat.realtime.broker import unreachable_on

_ERRORS = (psycopg.Error, OSError, TimeoutError)
_MAX_PAYLOAD_BYTES = 7_999
_LISTENER = "famichat listener"
_CONNECT: dict[str, Any] = {
    "autocommit": True,
    "connect_timeout": 3,
    # A connection that is cut silently fails after about four seconds, as those of `storage.database`.
    "tcp_user_timeout": 4000,
    "keepalives": 1,
    "keepalives_idle": 2,
    "keepalives_interval": 1,
    "keepalives_count": 2,
    "options": "-c statement_timeout=4000 -c synchronous_commit=off -c client_min_messages=error",
}


class PostgresClient:
    """A `BrokerClient` for `LISTEN` and `NOTIFY`, with one connection for each of them.

    Args:
        url: the address of the database, such as "postgresql://localhost/famichat".
        namespace: identifies the deployment.
    """

    max_bytes = _MAX_PAYLOAD_BYTES // 4 * 3  # in base64, because a payload is text

    def __init__(self, url: str, namespace: str) -> None:
        self._url = url
        self._channel = f"famichat_{namespace}"
        self._listener: AsyncConnection[Any] | None = None
        self._notifier: AsyncConnection[Any] | None = None

    async def subscribe(self) -> None:
        """Implement `BrokerClient`."""
        with unreachable_on(*_ERRORS):
            self._listener = await _connect(self._url, _LISTENER)
            await self._listener.execute(sql.SQL("LISTEN {}").format(sql.Identifier(self._channel)))

    async def receive(self, seconds: float) -> Sequence[bytes]:
        """Implement `BrokerClient`."""
        if self._listener is None:
            return ()
        with unreachable_on(*_ERRORS):
            notifies = self._listener.notifies(timeout=seconds, stop_after=1)
            return [_bytes_of(notify.payload) async for notify in notifies]

    async def unsubscribe(self) -> None:
        """Implement `BrokerClient`."""
        listener, self._listener = self._listener, None
        await _close(listener)

    async def publish(self, messages: Sequence[bytes]) -> None:
        """Implement `BrokerClient`."""
        payloads = [base64.b64encode(message).decode() for message in messages]
        with unreachable_on(*_ERRORS):
            if self._notifier is None or self._notifier.closed:
                self._notifier = await _connect(self._url, "famichat notifier")
            await self._notifier.execute(
                "SELECT pg_notify(%s, payload) FROM unnest(%s::text[]) AS payload", (self._channel, payloads)
            )

    async def close(self) -> None:
        """Implement `BrokerClient`."""
        await self.unsubscribe()
        notifier, self._notifier = self._notifier, None
        await _close(notifier)


def listening_nodes(url: str) -> int:
    """Return how many nodes listen in a database. Blocks for 3 seconds at most.

    Raises:
        ConnectionError: the database is not reachable; the text is the name of the error.
    """
    query = "SELECT count(*) FROM pg_stat_activity WHERE application_name = %s AND datname = current_database()"
    try:
        with psycopg.connect(url, **_CONNECT) as connection:
            found = connection.execute(query, (_LISTENER,)).fetchone()
            return int(found[0]) if found is not None else 0
    except psycopg.Error as error:
        raise ConnectionError(type(error).__name__) from error


async def _connect(url: str, name: str) -> AsyncConnection[Any]:
    connecting = asyncio.ensure_future(AsyncConnection.connect(url, application_name=name, **_CONNECT))
    try:
        return await asyncio.shield(connecting)
    except asyncio.CancelledError:
        # Python 3.11 loses a connection that is established while it is cancelled.
        with suppress(*_ERRORS):
            await _close(await connecting)
        raise


async def _close(connection: AsyncConnection[Any] | None) -> None:
    if connection is not None:
        with suppress(*_ERRORS):
            await connection.close()


def _bytes_of(payload: str) -> bytes:
    try:
        return base64.b64decode(payload, validate=True)
    except ValueError:
        return b""  # which no node of this deployment sent; the envelope refuses it
