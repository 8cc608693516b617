"""A broker over Redis pub/sub. It carries broadcasts between nodes and stores nothing.

Publishing neither blocks nor fails. While Redis is unreachable, messages to other nodes are lost, clients of the same
node still reach each other, and the broker reconnects.
"""

import asyncio
import base64
import contextlib
import secrets
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
import redis
from redis.asyncio import Redis
from redis.exceptions import RedisError

from famichat.realtime.events import BrokerFailed, emit

_MAX_WAITING = 10_000
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 2.0
_LISTEN_SECONDS = 5.0
_FLUSH_SECONDS = 1.0
_PING_SECONDS = 3.0
_UNREACHABLE = (RedisError, OSError, TimeoutError)


class RedisBroker:
    """Carries the messages of a `PubSub` to the other nodes that use the same Redis and channel.

    Args:
        url: such as "redis://localhost:6379/0".
        channel: the Redis channel; deployments that share a Redis need different ones.
    """

    def __init__(self, url: str, channel: str = "famichat") -> None:
        self._redis: Redis = Redis.from_url(
            url, socket_connect_timeout=2.0, socket_timeout=2 * _LISTEN_SECONDS, health_check_interval=_LISTEN_SECONDS
        )
        self._channel = channel
        self._name = secrets.token_hex(8)
        self._handler: Callable[[dict[str, Any]], None] = lambda _message: None
        self._waiting: deque[bytes] = deque(maxlen=_MAX_WAITING)  # when full, the oldest are dropped
        self._wake = asyncio.Event()
        self._stopping = False

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
                publishing = tasks.create_task(self._reconnecting(self._publish_all), name="broker publishing")
                listening = tasks.create_task(self._reconnecting(self._listen_all), name="broker listening")
                try:
                    # Until cancelled: by the caller, or by the group if a task crashed.
                    await asyncio.wait({publishing, listening}, return_when=asyncio.FIRST_COMPLETED)
                    raise RuntimeError("a task of the broker ended")
                finally:
                    self._stopping = True
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

    async def _listen_all(self) -> None:
        async with self._redis.pubsub(ignore_subscribe_messages=True) as subscription:
            await subscription.subscribe(self._channel)
            # Not `while True`: redis-py may swallow a cancellation.
            while not self._stopping:
                message = await subscription.get_message(timeout=_LISTEN_SECONDS)
                if message is not None:
                    self._on_message(message["data"])

    def _on_message(self, data: bytes) -> None:
        message = _decode(data)
        if message is not None and message.get("from") != self._name:
            self._handler(message)


def ping(url: str) -> str | None:
    """Connect to a Redis server; return the name of the error, or None. Blocks for 3 seconds at most.

    Args:
        url: as for `RedisBroker`.
    """
    try:
        with redis.Redis.from_url(url, socket_connect_timeout=_PING_SECONDS, socket_timeout=_PING_SECONDS) as client:
            client.ping()
    except RedisError as error:
        return type(error).__name__
    return None


def _encode(message: dict[str, Any]) -> bytes:
    payload = message.get("payload")
    if isinstance(payload, bytes):
        message = {**message, "payload": None, "bytes": base64.b64encode(payload).decode()}
    return orjson.dumps(message)


def _decode(data: bytes) -> dict[str, Any] | None:
    try:
        message = orjson.loads(data)
        if not isinstance(message, dict):
            return None
        if "bytes" in message:
            message["payload"] = base64.b64decode(message.pop("bytes"))
    except (ValueError, TypeError):
        return None  # not a message of this application
    return message
