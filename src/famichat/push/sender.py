"""Sends claimed notifications to push services: retries, slots per user, and a circuit breaker per service.

A claim is renewed while its notification waits for a slot or a retry, and confirmed when nothing more is to be done. If
this node stops or crashes before, another one, or this one after its restart, takes the claim over.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from urllib.parse import urlsplit

from famichat.chat.encryption_policy import EncryptionPolicies
from famichat.push.account_notice import AccountNotice, subscriptions_for
from famichat.push.circuit_breaker import CircuitBreaker
from famichat.push.client import PushClient
from famichat.push.notification import Notification, encoded_payload, notices
from famichat.push.position import Claim, ClaimedSeq, set_sending
from famichat.push.response import PushResponse
from famichat.push.slots import UserSlots
from famichat.push.subscription import PushSubscription, Subscription, opened, unsubscribe
from famichat.push.vapid import encoded
from famichat.storage.base import now
from famichat.storage.crypto.vault import BlindIndex, Vault
from famichat.storage.database import Database
from famichat.storage.errors import StorageUnavailable, UnsealError
from famichat.storage.group_commit import GroupCommit
from famichat.telemetry import emit, events
from famichat.telemetry.crash import report_crash

BACKOFF_SECONDS = 2.0
MAX_ATTEMPTS = 5
RENEWAL_SECONDS = 2.5
"""How often claims are renewed: more often than other nodes look for abandoned ones (`notifier.RECOVERY_SECONDS`)."""
CONFIRMATION_SECONDS = 0.1
"""How long confirmations wait for others, with which they share a commit."""
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
        self._sending: dict[asyncio.Task[None], Notification] = {}
        self._latest: dict[Claim, int] = {}
        self._confirmations: GroupCommit[ClaimedSeq, None] = GroupCommit("push confirmations", self._confirm_all)

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
        self._sending[task] = notification
        task.add_done_callback(self._sending.pop)

    async def send_account_notice(self, notice: AccountNotice) -> None:
        """Send a notification about an account to all devices of a user. A node that stops meanwhile loses it."""
        try:
            found = await self._services.database.read(partial(subscriptions_for, notice=notice))
            await asyncio.gather(*(self._send_to_device(notice, each.device_id) for each in found))
        except StorageUnavailable:
            return  # the database has reported it
        except Exception as error:  # noqa: BLE001 - a bug that one notification meets must not cancel the others
            report_crash("push", error)

    def is_sending(self, claimed: ClaimedSeq) -> bool:
        """Return whether this node is sending or retrying a notification."""
        device_id, conversation_id, seq = claimed
        return self._latest.get((device_id, conversation_id)) == seq

    def confirm(self, claims: Iterable[ClaimedSeq]) -> None:
        """Store that nothing more is to be sent, without waiting for it. If that fails, a notification is repeated."""
        for each in claims:
            with suppress(StorageUnavailable):  # the queue is full
                self._confirmations.append(each, _ignore).add_done_callback(_retrieve)

    async def renew(self) -> None:
        """Renew the claims whose notifications take longer, until cancelled."""
        renewed: set[ClaimedSeq] = set()
        while True:
            await asyncio.sleep(RENEWAL_SECONDS)
            held = {(*claim, seq) for claim, seq in self._latest.items()}
            if lasting := held & renewed:
                with suppress(StorageUnavailable):  # reported; a repeat is possible
                    await self._services.database.transaction(partial(set_sending, claims=lasting, since=now()))
            renewed = held

    async def close(self) -> None:
        """Write the confirmations that wait."""
        await self._confirmations.close()

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
        own = [task for task, each in self._sending.items() if each.user_id == user_id]
        if len(own) >= MAX_WAITING_PER_USER or len(self._sending) >= MAX_WAITING:
            oldest = next(iter(own or self._sending))
            self.confirm([self._sending[oldest].claimed_seq])
            oldest.cancel()
            emit(events.PushDropped())

    async def _send(self, notification: Notification, read: list[str]) -> None:
        try:
            await self._with_retries(notification.user_id, partial(self._try, notification, read))
            await self._confirmations.append(notification.claimed_seq, _ignore)
        except StorageUnavailable:
            return  # the database has reported it; the notification is sent again
        except Exception as error:  # noqa: BLE001 - a bug that one notification meets must not cancel the others
            report_crash("push", error)
            self.confirm([notification.claimed_seq])  # it would meet the same bug again
        finally:
            if self._latest.get(notification.claim) == notification.message["seq"]:
                del self._latest[notification.claim]

    async def _send_to_device(self, notice: AccountNotice, device_id: str) -> None:
        payload, topic = encoded_payload(notice.payload), notice.payload["kind"]

        async def send(attempt: int) -> PushResponse | None:
            # Read again before each attempt: the device may have signed out meanwhile.
            found = await self._services.database.read(partial(subscriptions_for, notice=notice))
            record = next((each for each in found if each.device_id == device_id), None)
            return None if record is None else await self.post(record, payload, topic, attempt)

        await self._with_retries(notice.user_id, send)

    async def _with_retries(self, user_id: str, send: Callable[[int], Awaitable[PushResponse | None]]) -> None:
        for attempt in range(1, MAX_ATTEMPTS + 1):
            async with self._slots.hold(user_id):
                response = await send(attempt)
            if response is None or not response.may_work_later or attempt == MAX_ATTEMPTS:
                return
            jitter = random.uniform(0.8, 1.2)  # noqa: S311 - jitter is no secret  # nosec B311
            await asyncio.sleep(max(response.retry_after, BACKOFF_SECONDS * 2 ** (attempt - 1)) * jitter)

    async def _confirm_all(self, claims: list[ClaimedSeq]) -> Sequence[None]:
        await asyncio.sleep(CONFIRMATION_SECONDS)
        await self._services.database.transaction(partial(set_sending, claims=claims, since=None))
        return [None] * len(claims)

    async def _try(self, notification: Notification, read: list[str], attempt: int) -> PushResponse | None:
        """Send once, if still wanted: the message may have been read, the device signed out, the user removed."""
        if self._latest.get(notification.claim) != notification.message["seq"]:
            return None  # a newer message of this conversation replaces it
        ask = partial(
            notices,
            messages=[notification.message],
            policies=self._services.policies,
            claimed_by={notification.device_id},
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


def _ignore(_: None) -> None:
    pass


def _retrieve(confirmed: asyncio.Future[None]) -> None:
    """Take note of a failure, which the database has reported."""
    if not confirmed.cancelled():
        confirmed.exception()
