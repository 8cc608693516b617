"""Notifies the devices that did not acknowledge a message in the foreground. Never blocks the send path.

Whether a device is connected does not matter: a sleeping phone, a frozen tab, a slow reader and a long poll between two
requests look connected, and none of them acknowledges. So a message waits here for a few seconds, and the stored
receipts then show which devices need a notification.

Broadcasting a message only adds it to a bounded dict. Messages are handled in batches of half a second. After one
second, the tabs of devices that did not acknowledge are asked to show a notification themselves. After four seconds,
the devices that did neither are notified by Web Push. A batch costs one timer and two queries, however many messages
and devices it concerns.

A notification is a hint: a message is stored before it comes here. A node that stops or crashes loses its waiting
messages, so every node looks for messages of all nodes that no device was notified of: after its start for those of the
last minutes, then every eight seconds. It also takes over the notifications that were claimed and not confirmed, if
their claims do not change between two looks: their node renews the claims as long as it sends them.
"""

import asyncio
from asyncio import sleep
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from famichat.chat.messages.schema import MessageView
from famichat.push.account_notice import AccountNotice
from famichat.push.client import PushClient
from famichat.push.notification import Notification, claimed_notices, encoded_payload, notices, recent_messages
from famichat.push.position import Claim, UnconfirmedClaim, claim, take_over, take_read, unconfirmed_claims
from famichat.push.response import PushResponse
from famichat.push.sender import PushSender, PushServices
from famichat.push.subscription import PushSubscription
from famichat.storage.base import now
from famichat.storage.errors import StorageUnavailable
from famichat.storage.halving import without_failures
from famichat.telemetry import emit, events
from famichat.telemetry.crash import report_crash

BATCH_SECONDS = 0.5
SHOW_AFTER_SECONDS = 1.0
PUSH_AFTER_SECONDS = 4.0
"""How long a device has to acknowledge a message in the foreground."""
RECOVERY_SECONDS = 8.0
"""How often a node looks for messages without notifications, and how old they are by then: their own node has handled
them, unless it stopped; and after a start, devices have had time to reconnect. A claim that is neither confirmed nor
renewed for this time is taken over."""
RECOVERED_PERIOD = timedelta(minutes=10)
MAX_WAITING = 1000
_TASK = "push notifications"

ShowInTabs = Callable[[Notification], None]
"""Asks the open tabs of a device to show a notification."""


class PushNotifier:
    """Queues the messages of this node, and notifies devices of them.

    Args:
        services: the database and its keys.
        client: sends requests to push services.
        show_in_tabs: asks the open tabs of a device to show a notification.
    """

    def __init__(self, services: PushServices, client: PushClient, show_in_tabs: ShowInTabs) -> None:
        self._services = services
        self._sender = PushSender(services, client)
        self._show_in_tabs = show_in_tabs
        self._batch = 0
        self._queued: dict[tuple[int, str, str], MessageView] = {}
        self._account_notices: deque[AccountNotice] = deque(maxlen=MAX_WAITING)
        self._wake = asyncio.Event()

    @property
    def waiting(self) -> int:
        """Number of queued messages and notifications."""
        return len(self._queued) + self._sender.waiting

    def enqueue(self, message: MessageView) -> None:
        """Queue a message. Of several in one batch from one sender in one conversation, only the latest is kept."""
        key = self._batch, message["conversation_id"], message["user_id"]
        self._queued.pop(key, None)
        self._queued[key] = message
        if len(self._queued) > MAX_WAITING:
            del self._queued[next(iter(self._queued))]
            emit(events.PushDropped())
        self._wake.set()

    def enqueue_account_notices(self, notices: Iterable[AccountNotice]) -> None:
        """Queue notifications about accounts, which are sent without a delay. Beyond 1000, the oldest are lost."""
        self._account_notices.extend(notices)
        self._wake.set()

    async def run(self) -> None:
        """Notify devices of what is queued, until cancelled, which cancels the requests under way too."""
        try:
            async with asyncio.TaskGroup() as workers:
                workers.create_task(self._sender.renew(), name="push renewals")
                while True:
                    await self._wake.wait()
                    self._wake.clear()
                    while self._account_notices:
                        notice = self._account_notices.popleft()
                        workers.create_task(self._sender.send_account_notice(notice), name="account notice")
                    await sleep(BATCH_SECONDS)
                    batch, self._batch = self._batch, self._batch + 1
                    workers.create_task(self._notify(batch, workers), name="push batch")
        finally:
            await self._sender.close()

    async def recover(self) -> None:
        """Notify devices of the messages that a node stopped or crashed with, and of those only, until cancelled.

        Claims ensure that one node notifies a device, whichever nodes find the message.
        """
        since, claims = now() - RECOVERED_PERIOD, set[UnconfirmedClaim]()
        async with asyncio.TaskGroup() as workers:
            while True:
                until = now()
                with suppress(StorageUnavailable):  # reported; the next round looks again
                    claims = await self._take_over(claims, workers)
                await sleep(RECOVERY_SECONDS)
                with suppress(StorageUnavailable):
                    await self._recover(since, until, workers)
                    since = until

    async def _recover(self, since: datetime, until: datetime, workers: asyncio.TaskGroup) -> None:
        vault = self._services.vault
        messages = await self._services.database.read(
            lambda session: recent_messages(session, vault, since, until, limit=MAX_WAITING)
        )
        await self._push(messages, workers)

    async def _take_over(self, before: set[UnconfirmedClaim], workers: asyncio.TaskGroup) -> set[UnconfirmedClaim]:
        """Send the notifications whose claims are the same as one look before; return the current claims.

        The claims are compared with each other and not with the time, so that the clocks of the nodes do not matter.
        """
        services = self._services
        current = await services.database.read(lambda session: unconfirmed_claims(session, MAX_WAITING))
        abandoned = {each for each in current & before if not self._sender.is_sending(each[:3])}
        if not abandoned:
            return current
        taken = await services.database.transaction(lambda session: take_over(session, abandoned, now()))
        found = await services.database.read(
            lambda session: claimed_notices(session, services.vault, taken, services.policies)
        )
        self._sender.confirm(taken - {each.claimed_seq for each in found})
        for each in found:
            self._sender.start(each, [], workers)
        return current

    async def test(self, device_id: str) -> PushResponse | None:
        """Send a test notification to a device now. Returns None if it has no subscription.

        Raises:
            StorageUnavailable: the database did not answer.
        """
        record = await self._services.database.read(lambda session: session.get(PushSubscription, device_id))
        return None if record is None else await self._sender.post(record, encoded_payload({"kind": "test"}))

    async def _notify(self, batch: int, workers: asyncio.TaskGroup) -> None:
        try:
            await sleep(SHOW_AFTER_SECONDS)
            for notification in await self._unacknowledged(self._in_batch(batch)):
                self._show_in_tabs(notification)
            await sleep(PUSH_AFTER_SECONDS - SHOW_AFTER_SECONDS)
            await self._push(self._in_batch(batch), workers)
        except Exception as error:  # noqa: BLE001 - a bug that one batch meets must not cancel the others
            report_crash(_TASK, error)
        finally:
            self._queued = {key: message for key, message in self._queued.items() if key[0] != batch}

    def _in_batch(self, batch: int) -> list[MessageView]:
        return [message for key, message in self._queued.items() if key[0] == batch]

    async def _push(self, messages: list[MessageView], workers: asyncio.TaskGroup) -> None:
        newest: dict[Claim, Notification] = {}
        for notification in await self._unacknowledged(messages):
            known = newest.get(notification.claim)
            if known is None or known.message["seq"] < notification.message["seq"]:
                newest[notification.claim] = notification
        async for _, (claimed, read) in without_failures(_TASK, list(newest.values()), self._claim):
            if claimed:
                emit(events.PushesDue(devices=len({device_id for device_id, _ in claimed})))
            for key in claimed:
                self._sender.start(newest[key], read.get(key[0], []), workers)

    async def _unacknowledged(self, messages: list[MessageView]) -> list[Notification]:
        return [each async for _, found in without_failures(_TASK, messages, self._read) for each in found]

    async def _read(self, messages: Sequence[MessageView]) -> list[Notification]:
        return await self._services.database.read(lambda session: notices(session, messages, self._services.policies))

    async def _claim(self, notifications: Sequence[Notification]) -> tuple[set[Claim], dict[str, list[str]]]:
        def work(session: Session) -> tuple[set[Claim], dict[str, list[str]]]:
            claimed = claim(session, (each.claimed_seq for each in notifications), sending_since=now())
            return claimed, take_read(session, {device_id for device_id, _ in claimed})

        return await self._services.database.transaction(work)
