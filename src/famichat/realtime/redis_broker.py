"""Notes between nodes over Redis: a hint that something happened, never the place where it is kept.

Publishing neither waits nor fails. While Redis is away its notes are lost, clients of one node go on hearing each
other, and everything comes back by itself.
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
_FAREWELL_SECONDS = 1.0
_PING_SECONDS = 3.0
_AWAY = (RedisError, OSError, TimeoutError)


class RedisBroker:
    """Carries the notes of a `PubSub` to those of other nodes that use the same Redis and channel.

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
        self._hear: Callable[[dict[str, Any]], None] = lambda _note: None
        self._waiting: deque[bytes] = deque(maxlen=_MAX_WAITING)  # the oldest hints are worth the least
        self._awake = asyncio.Event()
        self._stopping = False

    def listen(self, hear: Callable[[dict[str, Any]], None]) -> None:
        """Call `hear` with every note of another node."""
        self._hear = hear

    def publish(self, note: dict[str, Any]) -> None:
        """Send a note to the other nodes as soon as may be."""
        self._waiting.append(_encode({"from": self._name, **note}))
        self._awake.set()

    async def run(self) -> None:
        """Carry messages both ways until cancelled, then publish the queued ones, for one second at most.

        Redis need not be reachable: the broker reconnects until it is.
        """
        self._stopping = False
        try:
            async with asyncio.TaskGroup() as tasks:
                publishing = tasks.create_task(self._keep(self._publish_all), name="broker publishing")
                listening = tasks.create_task(self._keep(self._listen_all), name="broker listening")
                try:
                    await asyncio.Event().wait()  # until cancelled: by the caller, or by the group if a task crashed
                finally:
                    self._stopping = True
                    self._awake.set()
                    await asyncio.wait({publishing}, timeout=_FAREWELL_SECONDS)
                    publishing.cancel()
                    listening.cancel()
        finally:
            with contextlib.suppress(*_AWAY):
                await self._redis.aclose()

    async def _keep(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do it again whenever Redis goes away, with longer and longer pauses."""
        pause = _FIRST_PAUSE
        loop = asyncio.get_running_loop()
        while not self._stopping:
            began = loop.time()
            try:
                await work()
            except _AWAY as fault:
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
            self._awake.clear()
            await self._awake.wait()

    async def _listen_all(self) -> None:
        async with self._redis.pubsub(ignore_subscribe_messages=True) as subscription:
            await subscription.subscribe(self._channel)
            # Not `while True`: redis-py may swallow the cancellation of what it awaits.
            while not self._stopping:
                message = await subscription.get_message(timeout=_LISTEN_SECONDS)
                if message is not None:
                    self._heard(message["data"])

    def _heard(self, data: bytes) -> None:
        note = _decode(data)
        if note is not None and note.get("from") != self._name:
            self._hear(note)


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


def _encode(note: dict[str, Any]) -> bytes:
    payload = note.get("payload")
    if isinstance(payload, bytes):
        note = {**note, "payload": None, "bytes": base64.b64encode(payload).decode()}
    return orjson.dumps(note)


def _decode(data: bytes) -> dict[str, Any] | None:
    try:
        note = orjson.loads(data)
    except orjson.JSONDecodeError:
        return None  # somebody else's message on our channel
    if not isinstance(note, dict):
        return None
    if "bytes" in note:
        note["payload"] = base64.b64decode(note.pop("bytes"))
    return note
