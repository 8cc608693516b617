"""The broker over Redis or Valkey: one pub/sub channel per deployment."""

from collections.abc import Sequence
from contextlib import suppress

import redis
from redis.asyncio import Redis
from redis.asyncio.client import PubSub as Subscription
from redis.exceptions import RedisError

from famichat.realtime.broker import LISTEN_SECONDS, unreachable_on

_ERRORS = (RedisError, OSError, TimeoutError)
_CHECK_SECONDS = 3.0
_PREFIX = "famichat:"


class RedisClient:
    """A `BrokerClient` for Redis pub/sub.

    Args:
        url: such as "redis://localhost:6379/0".
        namespace: identifies the deployment.
    """

    max_bytes = 64 * 1024

    def __init__(self, url: str, namespace: str) -> None:
        self._redis: Redis = Redis.from_url(
            url, socket_connect_timeout=2.0, socket_timeout=2 * LISTEN_SECONDS, health_check_interval=LISTEN_SECONDS
        )
        self._channel = _PREFIX + namespace
        self._subscription: Subscription | None = None

    async def subscribe(self) -> None:
        """Implement `BrokerClient`."""
        with unreachable_on(*_ERRORS):
            self._subscription = self._redis.pubsub()
            await self._subscription.subscribe(self._channel)
            while (answer := await self._subscription.get_message(timeout=LISTEN_SECONDS)) is not None:
                if answer["type"] == "subscribe":
                    return
            raise TimeoutError

    async def receive(self, seconds: float) -> Sequence[bytes]:
        """Implement `BrokerClient`."""
        if self._subscription is None:
            return ()
        with unreachable_on(*_ERRORS):
            message = await self._subscription.get_message(ignore_subscribe_messages=True, timeout=seconds)
        return () if message is None else (message["data"],)

    async def unsubscribe(self) -> None:
        """Implement `BrokerClient`."""
        subscription, self._subscription = self._subscription, None
        if subscription is not None:
            with suppress(*_ERRORS):
                await subscription.aclose()  # type: ignore[no-untyped-call]

    async def publish(self, messages: Sequence[bytes]) -> None:
        """Implement `BrokerClient`."""
        with unreachable_on(*_ERRORS):
            async with self._redis.pipeline(transaction=False) as pipeline:
                for message in messages:
                    pipeline.publish(self._channel, message)
                await pipeline.execute()

    async def close(self) -> None:
        """Implement `BrokerClient`."""
        with suppress(*_ERRORS):
            await self._redis.aclose()


def listening_nodes(url: str) -> int:
    """Return how many nodes listen, of all deployments on a Redis server. Blocks for 3 seconds at most.

    Raises:
        ConnectionError: Redis is not reachable; the text is the name of the error.
    """
    try:
        with redis.Redis.from_url(url, socket_connect_timeout=_CHECK_SECONDS, socket_timeout=_CHECK_SECONDS) as client:
            channels = client.pubsub_channels(f"{_PREFIX}*")
            return sum(count for _, count in client.pubsub_numsub(*channels)) if channels else 0
    except RedisError as error:
        raise ConnectionError(type(error).__name__) from error
