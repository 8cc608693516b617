"""The broker over NATS core: one subject per deployment. JetStream is not used, because the database is the log."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error, FlushTimeoutError, SlowConsumerError

from famichat.realtime.broker import unreachable_on

_ERRORS = (Error, OSError, TimeoutError, EOFError)
_CONNECT: dict[str, Any] = {
    # `Broker` connects again, and then reports the gap. Otherwise nats-py would also wait here until NATS is reachable.
    "allow_reconnect": False,
    "max_reconnect_attempts": 1,
    "reconnect_time_wait": 0,
    "connect_timeout": 3,
    "ping_interval": 5,
}
_PREFIX = "famichat."
_CENSUS = "famichat.nodes"
_CENSUS_SECONDS = 0.5
_FLUSH_SECONDS = 4


class NatsClient:
    """A `BrokerClient` for NATS core, with one connection to subscribe and one to publish.

    Args:
        url: such as "nats://localhost:4222".
        namespace: identifies the deployment.
    """

    max_bytes = 64 * 1024

    def __init__(self, url: str, namespace: str) -> None:
        self._url = url
        self._subject = _PREFIX + namespace
        self._subscription: _Subscription | None = None
        self._publisher: Client | None = None

    async def subscribe(self) -> None:
        """Implement `BrokerClient`."""
        self._subscription = _Subscription()
        with unreachable_on(*_ERRORS):
            await self._subscription.start(self._url, self._subject)

    async def receive(self, seconds: float) -> Sequence[bytes]:
        """Implement `BrokerClient`."""
        if self._subscription is None:
            return ()
        with unreachable_on(*_ERRORS):
            return await self._subscription.take(seconds)

    async def unsubscribe(self) -> None:
        """Implement `BrokerClient`."""
        subscription, self._subscription = self._subscription, None
        if subscription is not None:
            await _close(subscription.connection)

    async def publish(self, messages: Sequence[bytes]) -> None:
        """Implement `BrokerClient`."""
        with unreachable_on(*_ERRORS):
            if self._publisher is None or self._publisher.is_closed:
                self._publisher = await _connect(self._url, name="famichat publisher", error_cb=_ignore)
            for message in messages:
                await self._publisher.publish(self._subject, message)
            try:
                await self._publisher.flush(_FLUSH_SECONDS)
            except FlushTimeoutError:
                await self._stop_publishing()  # the connection was cut silently
                raise

    async def close(self) -> None:
        """Implement `BrokerClient`."""
        await self.unsubscribe()
        await self._stop_publishing()

    async def _stop_publishing(self) -> None:
        publisher, self._publisher = self._publisher, None
        await _close(publisher)


class _Subscription:
    """A connection that collects the messages of a subject."""

    def __init__(self) -> None:
        self.connection: Client | None = None
        self._received: list[bytes] = []
        self._fault: Exception | None = None
        self._wake = asyncio.Event()

    async def start(self, url: str, subject: str) -> None:
        """Connect and subscribe, and return when the subscription is active."""
        self.connection = await _connect(url, name="famichat listener", error_cb=self._failed, closed_cb=self._closed)
        await self.connection.subscribe(subject, cb=self._collect)
        await self.connection.subscribe(_CENSUS, cb=_respond)
        await self.connection.flush()

    async def take(self, seconds: float) -> Sequence[bytes]:
        """Return what was received; wait for it, but no longer than this."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        received, self._received = self._received, []
        if self._fault is None:
            self._wake.clear()
        elif not received:
            raise self._fault
        return received

    async def _collect(self, message: Msg) -> None:
        self._received.append(message.data)
        self._wake.set()

    async def _failed(self, fault: Exception) -> None:
        # Messages were dropped because this node reads too slowly. A new subscription reports the gap.
        if isinstance(fault, SlowConsumerError):
            self._fault = fault
            self._wake.set()

    async def _closed(self) -> None:
        self._fault = ConnectionError("closed")
        self._wake.set()


def listening_nodes(url: str) -> int:
    """Return how many nodes listen, of all deployments on a NATS server. Blocks for 4 seconds at most.

    Raises:
        ConnectionError: NATS is not reachable; the text is the name of the error.
    """
    try:
        return asyncio.run(_count_nodes(url))
    except _ERRORS as error:
        raise ConnectionError(type(error).__name__) from error


async def _count_nodes(url: str) -> int:
    nodes = 0

    async def count(message: Msg) -> None:
        nonlocal nodes
        nodes += not message.headers  # NATS itself answers with headers if there is no node

    connection = await _connect(url, error_cb=_ignore)
    try:
        inbox = connection.new_inbox()
        await connection.subscribe(inbox, cb=count)
        await connection.publish(_CENSUS, reply=inbox)
        await asyncio.sleep(_CENSUS_SECONDS)
    finally:
        await _close(connection)
    return nodes


async def _respond(message: Msg) -> None:
    if message.reply:
        await message.respond(b"")


async def _ignore(_fault: Exception) -> None:
    """Leave errors to the call that raises them; nats-py would also log them with a traceback."""


async def _connect(url: str, **options: Any) -> Client:
    connection = Client()
    try:
        await connection.connect(url, **_CONNECT, **options)
    except BaseException:
        await _close(connection)
        raise
    return connection


async def _close(connection: Client | None) -> None:
    if connection is not None:
        with suppress(*_ERRORS):
            await connection.close()
