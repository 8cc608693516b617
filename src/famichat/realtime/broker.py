"""The broker: carries messages between the nodes of a deployment, at most once, and stores nothing.

Publishing neither blocks nor fails. While the broker is unreachable, messages wait, at most 10,000; clients of the same
node still reach each other, and the broker reconnects. After each connection, and when another node begins to publish
to this one, `on_gap` is called: messages may have been missed.

Waiting messages are sent together, at most every 5 milliseconds, sealed (`broker_envelope`).

A subscription can be dead although its connection is open: packets are dropped in one direction, or the subscription is
lost on the other side. So each node publishes a probe every few seconds and expects to receive it. A node that receives
nothing reports it (`hearing`) and connects again.

The probes also show which nodes exist. A node that is alone publishes nothing else.
"""

import asyncio
import base64
import contextlib
import itertools
import time
from collections.abc import Awaitable, Callable, Hashable, Iterator, Sequence
from typing import Any, Protocol

import orjson

from famichat.realtime.broker_envelope import BrokerEnvelope, MessageDropped
from famichat.realtime.events import BrokerFailed, BrokerMessageIgnored, emit

PROBE_SECONDS = 5.0
DEAF_SECONDS = 12.0
LISTEN_SECONDS = 5.0
"""Within this time, `BrokerClient.receive` returns, and publishing succeeds or fails."""

_MAX_WAITING = 10_000
_MAX_TOGETHER = 500
_PERIOD_SECONDS = 0.005
_PEER_SECONDS = 15.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 2.0
_FLUSH_SECONDS = 1.0
_PROBE, _HELLO = "probe", "hello"


class BrokerUnreachable(Exception):
    """The broker is unreachable; the text is the name of the error."""


class BrokerClient(Protocol):
    """A connection to a service that passes bytes on to all subscribers of a channel."""

    max_bytes: int
    """The size of the largest message."""

    async def subscribe(self) -> None:
        """Connect and subscribe, and return when the subscription is active.

        Raises:
            BrokerUnreachable: it failed.
        """
        ...

    async def receive(self, seconds: float) -> Sequence[bytes]:
        """Return the next messages; none if none arrives within so many seconds.

        Raises:
            BrokerUnreachable: the connection is lost.
        """
        ...

    async def unsubscribe(self) -> None:
        """Close the subscription and its connection; does not fail."""
        ...

    async def publish(self, messages: Sequence[bytes]) -> None:
        """Publish messages in this order.

        Raises:
            BrokerUnreachable: some may not have been published.
        """
        ...

    async def close(self) -> None:
        """Close all connections; does not fail."""
        ...


class Broker:
    """Carries the messages of a `PubSub` to the other nodes of the deployment.

    Args:
        client: the service between the nodes.
        envelope: seals what this node sends, and opens what it receives.
    """

    def __init__(self, client: BrokerClient, envelope: BrokerEnvelope) -> None:
        self._client = client
        self._envelope = envelope
        self._handler: Callable[[dict[str, Any]], None] = lambda _message: None
        self._on_gap: Callable[[], None] = lambda: None
        self._waiting: dict[Hashable, dict[str, Any]] = {}  # when full, the oldest are dropped
        self._numbers = itertools.count()
        self._wake = asyncio.Event()
        self._stopping = False
        self._heard_at = self._started_at = time.monotonic()
        self._peers: dict[bytes, float] = {}

    @property
    def hearing(self) -> bool:
        """Whether a message of this node came back within the last 12 seconds; at first, whether it still may."""
        return time.monotonic() - self._heard_at < DEAF_SECONDS

    @property
    def has_peers(self) -> bool:
        """Whether another node may receive what this node publishes. At first this is unknown, hence True."""
        since = time.monotonic() - _PEER_SECONDS
        return self._started_at > since or any(heard_at > since for heard_at in self._peers.values())

    def subscribe(self, handler: Callable[[dict[str, Any]], None], on_gap: Callable[[], None]) -> None:
        """Set the handlers of messages of other nodes, and of gaps: messages may have been missed."""
        self._handler, self._on_gap = handler, on_gap

    def publish(self, message: dict[str, Any], replaces: Hashable = None) -> None:
        """Queue a message for the other nodes; does nothing if there are none.

        Args:
            message: JSON; `payload` may also be bytes.
            replaces: if given, the message replaces one that is still queued under the same key.
        """
        if self.has_peers:
            self._queue(message, replaces)

    def _queue(self, message: dict[str, Any], replaces: Hashable = None) -> None:
        self._waiting[next(self._numbers) if replaces is None else replaces] = message
        if len(self._waiting) > _MAX_WAITING:
            del self._waiting[next(iter(self._waiting))]
        self._wake.set()

    async def run(self) -> None:
        """Carry messages both ways until cancelled, then publish the queued ones, for one second at most.

        The broker need not be reachable: the node reconnects until it is.
        """
        self._stopping = False
        try:
            async with asyncio.TaskGroup() as tasks:
                probing = tasks.create_task(self._probe(), name="broker probes")
                publishing = tasks.create_task(self._reconnecting(self._publish_all), name="broker publishing")
                listening = tasks.create_task(self._reconnecting(self._listen), name="broker listening")
                try:
                    # Until cancelled: by the caller, or by the group if a task crashed.
                    await asyncio.wait({publishing, listening, probing}, return_when=asyncio.FIRST_COMPLETED)
                    raise RuntimeError("a task of the broker ended")
                finally:
                    self._stopping = True
                    probing.cancel()
                    self._wake.set()
                    await asyncio.wait({publishing}, timeout=_FLUSH_SECONDS)
                    publishing.cancel()
                    listening.cancel()
        finally:
            await self._client.close()

    async def _reconnecting(self, work: Callable[[], Awaitable[None]]) -> None:
        """Run `work` again whenever the broker is unreachable, after a pause that doubles up to 2 seconds."""
        pause = _FIRST_PAUSE
        loop = asyncio.get_running_loop()
        while not self._stopping:
            began = loop.time()
            try:
                await work()
            except BrokerUnreachable as fault:
                if loop.time() - began > _LONGEST_PAUSE:
                    pause = _FIRST_PAUSE
                emit(BrokerFailed(error_type=str(fault)))
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)

    # Sending

    async def _publish_all(self) -> None:
        while True:
            while self._waiting:
                # They leave the queue only when they are sent, because the connection may be lost meanwhile.
                sent = list(itertools.islice(self._waiting.items(), _MAX_TOGETHER))
                body = _encode([message for _, message in sent])
                with unreachable_on(TimeoutError):
                    async with asyncio.timeout(LISTEN_SECONDS):
                        await self._client.publish(self._envelope.seal(body, self._client.max_bytes))
                for key, message in sent:
                    if self._waiting.get(key) is message:
                        del self._waiting[key]
                if not self._stopping:
                    await asyncio.sleep(_PERIOD_SECONDS)
            if self._stopping:
                return
            self._wake.clear()
            await self._wake.wait()

    async def _probe(self) -> None:
        while True:
            self._queue({"kind": _PROBE}, _PROBE)
            await asyncio.sleep(PROBE_SECONDS)

    # Receiving

    async def _listen(self) -> None:
        try:
            await self._client.subscribe()
            connected_at = time.monotonic()
            self._queue({"kind": _PROBE}, _PROBE)  # so that other nodes know immediately that this one listens
            self._on_gap()
            # Not `while True`: redis-py may swallow a cancellation.
            while not self._stopping:
                for data in await self._client.receive(min(LISTEN_SECONDS, DEAF_SECONDS / 4)):
                    self._on_message(data)
                if time.monotonic() - max(self._heard_at, connected_at) > DEAF_SECONDS:
                    raise BrokerUnreachable("TimeoutError")
        finally:
            await self._client.unsubscribe()

    def _on_message(self, data: bytes) -> None:
        # A malformed message must not end the subscription, or this node would receive no further message.
        try:
            opened = self._envelope.open(data)
            if opened.sender == self._envelope.sender:
                self._heard_at = time.monotonic()
                return
            self._heard_from(opened.sender)
            for message in [] if opened.body is None else _decode(opened.body):
                if message.get("kind") == _HELLO:
                    self._on_gap()
                elif message.get("kind") != _PROBE:
                    self._handler(message)
        except MessageDropped as dropped:
            emit(BrokerMessageIgnored(reason=dropped.reason, error_type=type(dropped).__name__))
        except Exception as fault:  # noqa: BLE001 - see above
            emit(BrokerMessageIgnored(reason="malformed", error_type=type(fault).__name__))

    def _heard_from(self, sender: bytes) -> None:
        now = time.monotonic()
        known_since = self._peers.get(sender)
        self._peers[sender] = now
        if known_since is None or known_since < now - _PEER_SECONDS:
            self._peers = {peer: at for peer, at in self._peers.items() if at > now - _PEER_SECONDS}
            # Until now this node may have published nothing, so the other one has to look for what it missed.
            self._queue({"kind": _HELLO}, _HELLO)


def _encode(messages: list[dict[str, Any]]) -> bytes:
    return orjson.dumps([_without_bytes(message) for message in messages])


def _without_bytes(message: dict[str, Any]) -> dict[str, Any]:
    payload = message.get("payload")
    if isinstance(payload, bytes):
        return {**message, "payload": None, "bytes": base64.b64encode(payload).decode()}
    return message


def _decode(body: bytes) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = orjson.loads(body)
    for message in messages:
        if "bytes" in message:
            message["payload"] = base64.b64decode(message.pop("bytes"))
    return messages


@contextlib.contextmanager
def unreachable_on(*errors: type[Exception]) -> Iterator[None]:
    """Raise `BrokerUnreachable` instead of the errors of a client's library."""
    try:
        yield
    except errors as error:
        raise BrokerUnreachable(type(error).__name__) from error
