"""Sends claimed notifications to push services: retries, slots per user, and a circuit breaker per service."""

import asyncio
import random
from dataclasses import dataclass
from functools import partial
from urllib.parse import urlsplit

from famichat.chat.encryption_policy import EncryptionPolicies
from famichat.push.circuit_breaker import CircuitBreaker
from famichat.push.client import PushClient
from famichat.push.notification import Notification, encoded_payload, notices
from famichat.push.position import Claim
from famichat.push.response import PushResponse
from famichat.push.slots import UserSlots
from famichat.push.subscription import PushSubscription, Subscription, opened, unsubscribe
from famichat.push.vapid import encoded
from famichat.storage.crypto.vault import BlindIndex, Vault
from famichat.storage.database import Database
from famichat.storage.errors import StorageUnavailable, UnsealError
from famichat.telemetry import emit, events
from famichat.telemetry.crash import report_crash

BACKOFF_SECONDS = 2.0
MAX_ATTEMPTS = 5
MAX_WAITING = 1000
MAX_WAITING_PER_USER = 100
_TOPIC_BYTES = 18


@dataclass(frozen=True, slots=True)
class PushServices:
    """What push notifications need of the database and its keys."""

    database: Database
    vault: Vault
    index: BlindIndex
    policies: EncryptionPolicies


class PushSender:
    """Sends notifications, each in its own task.

    Args:
        services: the database and its keys.
        client: sends requests to push services.
        breaker: pauses requests to services that do not respond.
    """

    def __init__(self, services: PushServices, client: PushClient, breaker: CircuitBreaker | None = None) -> None:
        self._services = services
        self._client = client
        self._breaker = breaker or CircuitBreaker()
        self._slots = UserSlots()
        self._sending: dict[asyncio.Task[None], str] = {}
        self._latest: dict[Claim, int] = {}

    @property
    def waiting(self) -> int:
        """Number of notifications that are being sent or retried."""
        return len(self._sending)

    def start(self, notification: Notification, read: list[str], workers: asyncio.TaskGroup) -> None:
        """Send a notification, without waiting for it. It replaces an older one of the same conversation.

        Args:
            notification: the claimed notification.
            read: other conversations whose notifications the device should close.
            workers: runs the task.
        """
        self._make_room(notification.user_id)
        self._latest[notification.claim] = notification.message["seq"]
        task = workers.create_task(self._send(notification, read), name="push")
        self._sending[task] = notification.user_id
        task.add_done_callback(self._sending.pop)

    async def post(
        self, record: PushSubscription, payload: bytes, topic: str | None = None, attempt: int = 1
    ) -> PushResponse:
        """Send one request now; delete the subscription if the service reports that it has ended.

        Raises:
            StorageUnavailable: the subscription could not be deleted.
        """
        try:
            subscription = opened(record, self._services.vault)
        except UnsealError:
            response = PushResponse("gone")  # reported by the vault; the device subscribes again when it connects
        else:
            response = await self._post_unless_open(subscription, payload, topic)
        if response.outcome == "sent":
            emit(events.PushSent(attempt=attempt))
        else:
            emit(events.PushFailed(reason=response.outcome, status=response.status, attempt=attempt))
        if response.outcome == "gone":
            await self._services.database.transaction(
                lambda session: unsubscribe(session, record.device_id, only=record.endpoint_index)
            )
        return response

    def _make_room(self, user_id: str) -> None:
        own = [task for task, each in self._sending.items() if each == user_id]
        if len(own) >= MAX_WAITING_PER_USER or len(self._sending) >= MAX_WAITING:
            next(iter(own or self._sending)).cancel()
            emit(events.PushDropped())

    async def _send(self, notification: Notification, read: list[str]) -> None:
        try:
            for attempt in range(1, MAX_ATTEMPTS + 1):
                async with self._slots.hold(notification.user_id):
                    response = await self._try(notification, read, attempt)
                if response is None or not response.may_work_later or attempt == MAX_ATTEMPTS:
                    return
                jitter = random.uniform(0.8, 1.2)  # noqa: S311 - jitter is no secret  # nosec B311
                await asyncio.sleep(max(response.retry_after, BACKOFF_SECONDS * 2 ** (attempt - 1)) * jitter)
        except StorageUnavailable:
            return  # the database has reported it
        except Exception as error:  # noqa: BLE001 - a bug that one notification meets must not cancel the others
            report_crash("push", error)
        finally:
            if self._latest.get(notification.claim) == notification.message["seq"]:
                del self._latest[notification.claim]

    async def _try(self, notification: Notification, read: list[str], attempt: int) -> PushResponse | None:
        """Send once, if still wanted: the message may have been read, the device signed out, the user removed."""
        if self._latest.get(notification.claim) != notification.message["seq"]:
            return None  # a newer message of this conversation replaces it
        ask = partial(
            notices,
            messages=[notification.message],
            policies=self._services.policies,
            claimed_by=notification.device_id,
        )
        still = await self._services.database.read(ask)
        if not still:
            return None
        payload = still[0].payload
        if read:
            payload["read"] = read
        topic = encoded(
            self._services.index.digest("push_topic", notification.message["conversation_id"])[:_TOPIC_BYTES]
        )
        return await self.post(still[0].record, encoded_payload(payload), topic, attempt)

    async def _post_unless_open(self, subscription: Subscription, payload: bytes, topic: str | None) -> PushResponse:
        parts = urlsplit(subscription.endpoint)
        origin = f"{parts.scheme}://{parts.netloc}"
        delay = self._breaker.delay(origin)
        if delay > 0:
            return PushResponse("unreachable", retry_after=delay)
        response = await self._client.post(subscription, payload, topic)
        self._breaker.record(origin, responded=response.outcome != "unreachable")
        return response
