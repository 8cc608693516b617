"""A broker over Redis pub/sub. It carries broadcasts between nodes and stores nothing.

Publishing neither blocks nor fails. While Redis is unreachable, messages to other nodes are lost, clients of the same
node still reach each other, and the broker reconnects.

A subscription can be dead although its connection is open: packets are dropped in one direction, or the subscription is
lost on the other side. So each node publishes a probe every few seconds and expects to receive it. A node that receives
nothing reports it (`hearing`) and connects again.
"""

import asyncio
import base64
import contextlib
import secrets
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
import redis
from redis.asyncio import Redis
from redis.exceptions import RedisError

from famichat.realtime.events import BrokerFailed, BrokerMessageIgnored, emit

_MAX_WAITING = 10_000
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 2.0
_LISTEN_SECONDS = 5.0
_FLUSH_SECONDS = 1.0
_PING_SECONDS = 3.0
PROBE_SECONDS = 5.0
DEAF_SECONDS = 12.0
_CHANNEL = "famichat"
_PROBE = "probe"
_UNREACHABLE = (RedisError, OSError, TimeoutError)


class RedisBroker:
    """Carries the messages of a `PubSub` to the other nodes that use the same Redis and channel.

    Args:
        url: such as "redis://localhost:6379/0".
        channel: the Redis channel; deployments that share a Redis need different ones.
    """

    def __init__(self, url: str, channel: str = _CHANNEL) -> None:
        self._redis: Redis = Redis.from_url(
            url, socket_connect_timeout=2.0, socket_timeout=2 * _LISTEN_SECONDS, health_check_interval=_LISTEN_SECONDS
        )
        self._channel = channel
        self._name = secrets.token_hex(8)
        self._handler: Callable[[dict[str, Any]], None] = lambda _message: None
        self._waiting: deque[bytes] = deque(maxlen=_MAX_WAITING)  # when full, the oldest are dropped
        self._wake = asyncio.Event()
        self._stopping = False
        self._heard_at = time.monotonic()

    @property
    def hearing(self) -> bool:
        """Whether a probe of this node came back within the last 12 seconds; at first, whether it still may."""
        return time.monotonic() - self._heard_at < DEAF_SECONDS

    def subscribe(self, handler: Callable[[dict[str, Any]], None]) -> None:
        """Call the handler with every message of another node."""
        self._handler = handler

    def publish(self, message: dict[str, Any]) -> None:
        """Queue a message for the other nodes."""
        self._waiting.append(_encode({"from": self._name, **message}))
        self._wake.set()

    async def run(self) -> None:
        """Carry messages both ways until cancelled, then publish the queued ones, for one second at most.

        Redis need not be reachable: the broker reconnects until it is.
        """
        self._stopping = False
        try:
            async with asyncio.TaskGroup() as tasks:
                probing = tasks.create_task(self._probe(), name="broker probes")
                publishing = tasks.create_task(self._reconnecting(self._publish_all), name="broker publishing")
                listening = tasks.create_task(self._reconnecting(self._listen_all), name="broker listening")
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
            with contextlib.suppress(*_UNREACHABLE):
                await self._redis.aclose()

    async def _reconnecting(self, work: Callable[[], Awaitable[None]]) -> None:
        """Run `work` again whenever Redis is unreachable, after a pause that doubles up to 2 seconds."""
        pause = _FIRST_PAUSE
        loop = asyncio.get_running_loop()
        while not self._stopping:
            began = loop.time()
            try:
                await work()
            except _UNREACHABLE as fault:
                if loop.time() - began > _LONGEST_PAUSE:
                    pause = _FIRST_PAUSE
                emit(BrokerFailed(error_type=type(fault).__name__))
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)

    async def _publish_all(self) -> None:
        while True:
            while self._waiting:
                await self._redis.publish(self._channel, self._waiting.popleft())
            if self._stopping:
                return
            self._wake.clear()
            await self._wake.wait()

    async def _probe(self) -> None:
        while True:
            self.publish({"kind": _PROBE})
            await asyncio.sleep(PROBE_SECONDS)

    async def _listen_all(self) -> None:
        async with self._redis.pubsub(ignore_subscribe_messages=True) as subscription:
            await subscription.subscribe(self._channel)
            connected_at = time.monotonic()
            # Not `while True`: redis-py may swallow a cancellation.
            while not self._stopping:
                message = await subscription.get_message(timeout=min(_LISTEN_SECONDS, DEAF_SECONDS / 4))
                if message is not None:
                    self._on_message(message["data"])
                if time.monotonic() - max(self._heard_at, connected_at) > DEAF_SECONDS:
                    raise TimeoutError

    def _on_message(self, data: bytes) -> None:
        # A malformed message must not end the subscription, or this node would receive no further message.
        try:
            message = _decode(data)
            if message.get("from") != self._name:
                if message.get("kind") != _PROBE:
                    self._handler(message)
            elif message.get("kind") == _PROBE:
                self._heard_at = time.monotonic()
        except Exception as fault:  # noqa: BLE001 - see above
            emit(BrokerMessageIgnored(reason="malformed", error_type=type(fault).__name__))


def listening_nodes(url: str, channel: str = _CHANNEL) -> int:
    """Return how many nodes subscribe to a channel. Blocks for 3 seconds at most.

    Args:
        url: as for `RedisBroker`.
        channel: as for `RedisBroker`.

    Raises:
        ConnectionError: Redis is not reachable; the text is the name of the error.
    """
    try:
        with redis.Redis.from_url(url, socket_connect_timeout=_PING_SECONDS, socket_timeout=_PING_SECONDS) as client:
            return int(client.pubsub_numsub(channel)[0][1])
    except RedisError as error:
        raise ConnectionError(type(error).__name__) from error


def _encode(message: dict[str, Any]) -> bytes:
    payload = message.get("payload")
    if isinstance(payload, bytes):
        message = {**message, "payload": None, "bytes": base64.b64encode(payload).decode()}
    return orjson.dumps(message)


def _decode(data: bytes) -> dict[str, Any]:
    message = orjson.loads(data)
    if not isinstance(message, dict):
        raise TypeError("a message is a JSON object")
    if "bytes" in message:
        message["payload"] = base64.b64decode(message.pop("bytes"))
    return message
