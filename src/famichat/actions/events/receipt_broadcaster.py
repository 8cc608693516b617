"""Announces receipts: to clients that support it, coalesced into one event per conversation and interval.

Every device of every member acknowledges every message. An event for each acknowledgement to each member makes the
number of frames quadratic in the members; with `message_statuses` it is linear.
"""

import asyncio

from famichat.actions.events.broadcast_report import report_broadcast
from famichat.actions.events.topics import ConversationTopic, connections_of_user
from famichat.chat.messages.receipt import Status
from famichat.chat.messages.receipt_batch import AckResult
from famichat.chat.messages.schema import DeviceStatus, MessageStatus, MessageStatuses
from famichat.realtime.pubsub import PubSub

DELAY_SECONDS = 0.1
STATUS, STATUSES = "message_status", "message_statuses"

_Audience = tuple[ConversationTopic, str | None]
"""A conversation, and the id of the only connections that receive the statuses; None for all."""


class ReceiptBroadcaster:
    """Broadcasts `message_status` immediately, and `message_statuses` at most every 0.1 seconds per conversation.

    A channel receives one of the two: see `MessageChannel`. Statuses that are not broadcast when the process stops are
    in the next join reply.

    Args:
        pubsub: delivers to the subscribers, on all nodes.
    """

    def __init__(self, pubsub: PubSub) -> None:
        self._pubsub = pubsub
        self._waiting: dict[_Audience, _Statuses] = {}

    def announce(self, result: AckResult) -> None:
        """Announce that a device has received or read more of a conversation than before.

        Members other than the reader may receive less than the reader's own devices: see `AckResult.for_others`.
        """
        request, for_others = result.request, result.for_others
        topic = ConversationTopic(request.conversation_type, request.conversation_id)
        own = connections_of_user(request.user_id)
        if for_others == request.status:
            self._publish(topic, result, for_others)
            self._queue((topic, None), result, for_others)
            return
        self._publish(topic, result, request.status, only=own)
        self._queue((topic, own), result, request.status)
        if for_others is not None:
            self._publish(topic, result, for_others, without=own)
            self._queue((topic, None), result, for_others)

    def _publish(
        self,
        topic: ConversationTopic,
        result: AckResult,
        status: Status,
        *,
        only: str | None = None,
        without: str | None = None,
    ) -> None:
        if not self._pubsub.may_have_listeners(str(topic), STATUS):
            return
        payload: MessageStatus = {**result.view(status), "conversation_id": topic.conversation_id}
        size = self._pubsub.broadcast(str(topic), STATUS, payload, only=only, without=without, optional=True)
        report_broadcast(topic, STATUS, size, result.request.received_at)

    def _queue(self, audience: _Audience, result: AckResult, status: Status) -> None:
        if not self._pubsub.may_have_listeners(str(audience[0]), STATUSES):
            return
        statuses = self._waiting.get(audience)
        if statuses is None:
            statuses = self._waiting[audience] = _Statuses(result.request.received_at)
            asyncio.get_running_loop().call_later(DELAY_SECONDS, self._flush, audience)
        statuses.add(result.view(status))

    def _flush(self, audience: _Audience) -> None:
        (topic, only), statuses = audience, self._waiting.pop(audience)
        payload: MessageStatuses = {"conversation_id": topic.conversation_id, "statuses": statuses.newest()}
        size = self._pubsub.broadcast(str(topic), STATUSES, payload, only=only, optional=True)
        report_broadcast(topic, STATUSES, size, statuses.since, delay=DELAY_SECONDS)


class _Statuses:
    """The statuses that wait for one broadcast; `since` is the arrival of the first, by `time.perf_counter`."""

    def __init__(self, since: float) -> None:
        self.since = since
        self._by_device: dict[str, dict[Status, DeviceStatus]] = {}

    def add(self, status: DeviceStatus) -> None:
        """Replace the status of a device; positions only advance."""
        self._by_device.setdefault(status["device_id"], {})[status["status"]] = status

    def newest(self) -> list[DeviceStatus]:
        """Return at most one `delivered` and one `read` per device. A read position covers delivered ones up to it."""
        found: list[DeviceStatus] = []
        for device in self._by_device.values():
            delivered, read = device.get("delivered"), device.get("read")
            if delivered is not None and (read is None or read["seq"] < delivered["seq"]):
                found.append(delivered)
            if read is not None:
                found.append(read)
        return found
