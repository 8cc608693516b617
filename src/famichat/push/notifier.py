"""Sends Web Push notifications to devices that were offline when a message was committed. Never blocks the send path.

Broadcasting a message only adds it to a bounded queue; separate tasks do the rest a moment later. A notification is a
hint: the message is on disk, so a notification lost in a crash, or dropped because the queue is full, loses no message.
"""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from sqlalchemy.orm import Session

from famichat.chat.encryption_policy import EncryptionPolicies
from famichat.push.client import PushClient, PushResponse
from famichat.push.notification import Notification, Said, notices, test_payload
from famichat.push.online_devices import OnlineDevices
from famichat.push.subscription import PushSubscription, opened, unsubscribe
from famichat.push.vapid import encoded
from famichat.storage.crypto.vault import BlindIndex, Vault
from famichat.storage.database import Database
from famichat.storage.errors import StorageUnavailable, UnsealError
from famichat.storage.halving import without_failures
from famichat.telemetry import emit, events
from famichat.telemetry.crash import report_crash

DELAY_SECONDS = 0.5
BACKOFF_SECONDS = 2.0
MAX_WAITING = 1000
MAX_ATTEMPTS = 5
_AT_ONCE = 8
_TOPIC_BYTES = 18


@dataclass(frozen=True, slots=True)
class PushServices:
    """What the notifier needs to read and decrypt subscriptions."""

    database: Database
    vault: Vault
    index: BlindIndex
    policies: EncryptionPolicies


class PushNotifier:
    """Queues and sends the notifications of this node.

    Args:
        ground: the database and its keys.
        client: sends requests to push services.
        whereabouts: knows which devices are online.
    """

    def __init__(self, ground: PushServices, client: PushClient, whereabouts: OnlineDevices) -> None:
        self._ground = ground
        self._client = client
        self._whereabouts = whereabouts
        self._said: dict[tuple[str, str], Said] = {}
        self._wake = asyncio.Event()
        self._ringing: dict[asyncio.Task[None], None] = {}
        self._latest: dict[tuple[str, str], int] = {}
        self._at_once = asyncio.Semaphore(_AT_ONCE)

    @property
    def waiting(self) -> int:
        """Number of queued messages and notifications."""
        return len(self._said) + len(self._ringing)

    def said(self, message: Said) -> None:
        """Queue a message. Of several from one sender in one conversation, only the latest is kept."""
        key = message["conversation_id"], message["user_id"]
        self._said.pop(key, None)
        self._said[key] = message
        if len(self._said) > MAX_WAITING:
            del self._said[next(iter(self._said))]
            emit(events.PushDropped())
        self._wake.set()

    async def run(self) -> None:
        """Send notifications for the queued messages, until cancelled, which cancels the requests under way too."""
        async with asyncio.TaskGroup() as workers:
            while True:
                await self._wake.wait()
                await asyncio.sleep(DELAY_SECONDS)
                self._wake.clear()
                said, self._said = list(self._said.values()), {}
                await self._begin_all(said, workers)

    async def test(self, device_id: str) -> PushResponse | None:
        """Send a test notification to a device now. Returns None if it has no subscription.

        Raises:
            StorageUnavailable: the database did not answer.
        """
        record = await self._ground.database.read(lambda session: session.get(PushSubscription, device_id))
        if record is None:
            return None
        return await self._post(record, test_payload(), topic=None, attempt=1)

    async def _begin_all(self, said: list[Said], workers: asyncio.TaskGroup) -> None:
        async for _, found in without_failures("push notifications", said, self._read_notices):
            absent = await self._whereabouts.absent({each.device_id for each in found})
            for notice in found:
                if notice.device_id in absent:
                    self._begin(notice, workers)

    async def _read_notices(self, said: Sequence[Said]) -> list[Notification]:
        return await self._ground.database.read(partial(self._notices, said))

    def _notices(self, said: Sequence[Said], session: Session, only: str | None = None) -> list[Notification]:
        return notices(session, said, self._ground.policies, only)

    def _begin(self, notice: Notification, workers: asyncio.TaskGroup) -> None:
        if len(self._ringing) >= MAX_WAITING:
            next(iter(self._ringing)).cancel()
            emit(events.PushDropped())
        self._latest[_line(notice)] = notice.said["seq"]
        task = workers.create_task(self._ring(notice), name="push")
        self._ringing[task] = None
        task.add_done_callback(self._ringing.pop)

    async def _ring(self, notice: Notification) -> None:
        try:
            for attempt in range(1, MAX_ATTEMPTS + 1):
                async with self._at_once:
                    answer = await self._try(notice, attempt)
                if answer is None or not answer.may_work_later or attempt == MAX_ATTEMPTS:
                    return
                jitter = random.uniform(0.8, 1.2)  # noqa: S311 - jitter is no secret  # nosec B311
                await asyncio.sleep(max(answer.retry_after, BACKOFF_SECONDS * 2 ** (attempt - 1)) * jitter)
        except StorageUnavailable:
            return  # the database has reported it
        except Exception as error:  # noqa: BLE001 - a bug that one notification meets must not cancel the others
            report_crash("push", error)
        finally:
            if self._latest.get(_line(notice)) == notice.said["seq"]:
                del self._latest[_line(notice)]

    async def _try(self, notice: Notification, attempt: int) -> PushResponse | None:
        """Send once, if still wanted: meanwhile the device may be signed out or online, or its user removed."""
        if self._latest.get(_line(notice)) != notice.said["seq"]:
            return None  # a newer message of this conversation replaces it
        ask = partial(self._notices, [notice.said], only=notice.device_id)
        still = await self._ground.database.read(ask)
        if not still or (attempt > 1 and not await self._whereabouts.absent({notice.device_id})):
            return None
        topic = encoded(self._ground.index.digest("push_topic", notice.said["conversation_id"])[:_TOPIC_BYTES])
        return await self._post(still[0].record, still[0].payload, topic, attempt)

    async def _post(self, record: PushSubscription, payload: bytes, topic: str | None, attempt: int) -> PushResponse:
        try:
            subscription = opened(record, self._ground.vault)
        except UnsealError:
            answer = PushResponse("gone")  # reported by the vault; the device subscribes again when it connects
        else:
            answer = await self._client.post(subscription, payload, topic)
        if answer.outcome == "sent":
            emit(events.PushSent(attempt=attempt))
        else:
            emit(events.PushFailed(reason=answer.outcome, status=answer.status, attempt=attempt))
        if answer.outcome == "gone":
            forget = partial(_forget, record)
            await self._ground.database.transaction(forget)
        return answer


def _line(notice: Notification) -> tuple[str, str]:
    return notice.device_id, notice.said["conversation_id"]


def _forget(record: PushSubscription, session: Session) -> None:
    unsubscribe(session, record.device_id, only=record.endpoint_index)
