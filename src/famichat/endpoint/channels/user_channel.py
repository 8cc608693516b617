"""The channel of one user, for that user's own devices: conversations, unread counts, profiles, devices, attention."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from famichat.actions.accounts.devices import check_signed_in
from famichat.actions.events.head_broadcaster import HEADS
from famichat.actions.events.payloads import UserJoinReply, reset_agreement_view
from famichat.actions.events.topics import ConversationTopic, user_topic
from famichat.actions.events.unread import LAST_MESSAGE
from famichat.actions.notifications import confirm_notification
from famichat.actions.receipts import acknowledge_conversations
from famichat.chat.errors import InvalidMessage, NotFound
from famichat.endpoint.channels.collected_heads import CollectedHeads
from famichat.endpoint.channels.connected_device import ConnectedDevice
from famichat.endpoint.channels.errors import error_payload, error_reply, unmatched_event
from famichat.endpoint.denials import report_denied
from famichat.endpoint.http.context import Context
from famichat.errors import FamichatError
from famichat.realtime.channel import Channel, Deferred, JoinRefused, TerminateReason
from famichat.realtime.message import Broadcast, Payload, ReplyPayload, ok
from famichat.realtime.socket import Socket


class UserChannel(Channel):
    """`user:<user id>`. `actions/events/broadcasts.py` defines the events that the server pushes."""

    def __init__(self, socket: Socket, topic: str, context: Context) -> None:
        super().__init__(socket, topic)
        self._context = context
        self._device: ConnectedDevice = socket.assigns
        self._identity = self._device.identity

    async def join(self, params: dict[str, Any]) -> UserJoinReply:
        """Authorize the join for the user's own devices, and record `foreground` if the client reports it.

        Raises:
            JoinRefused: the topic belongs to another user, or the user does not exist (indistinguishable); the
                device is signed out; `foreground`, `last_messages` or `heads` is malformed; or the database does not
                answer.
        """
        try:
            if self.topic != user_topic(self._identity.user_id):
                raise NotFound
            pending = await check_signed_in(self._context, self._identity)
            if "foreground" in params:
                self._device.report(params)
            if _supports(params, "last_messages"):
                self.listen(LAST_MESSAGE)
            if _supports(params, HEADS):
                self._device.heads = CollectedHeads(partial(self.push, HEADS))
        except FamichatError as fault:
            report_denied("user_channel", fault, self._identity.user_id)
            raise JoinRefused(error_payload(fault)) from fault
        reply: UserJoinReply = {"user_id": self._identity.user_id, "device_id": self._identity.device_id}
        if pending is not None:
            reply["reset_agreement"] = reset_agreement_view(pending)
        return reply

    async def terminate(self, reason: TerminateReason) -> None:
        """Let each conversation send its own position again."""
        self._device.heads = None

    def should_deliver(self, broadcast: Broadcast) -> bool:
        """Return False for the newest message of a conversation whose channel this client has joined."""
        payload = broadcast.payload
        if broadcast.event != LAST_MESSAGE or not isinstance(payload, dict):
            return True
        return not self.socket.has_joined(str(ConversationTopic(payload["type"], payload["conversation_id"])))

    async def handle_in(self, event: str, payload: Payload) -> ReplyPayload | Deferred:
        """Handle `attention`, `notified` and `message_acks`. Other events get the reply `unmatched_event`."""
        try:
            match event:
                case "attention":
                    self._device.report(_fields(payload))
                case "notified":
                    await confirm_notification(self._context, self._identity, _fields(payload))
                case "message_acks":
                    return self._message_acks(_fields(payload))
                case _:
                    return unmatched_event()
        except Exception as fault:  # noqa: BLE001 - `error_reply` logs unexpected errors; the channel stays open
            return self._refused(fault)
        return ok()

    def _message_acks(self, payload: dict[str, Any]) -> Deferred:
        """Store the acknowledgements, while the channel handles the next events."""
        attended = self._device.attentive
        stored = acknowledge_conversations(self._context, self._identity, payload, attended=attended)

        async def reply() -> ReplyPayload:
            try:
                await stored
            except Exception as fault:  # noqa: BLE001 - as in `handle_in`
                return self._refused(fault)
            return ok()

        return Deferred(reply())

    def _refused(self, fault: Exception) -> ReplyPayload:
        report_denied("user_channel", fault, self._identity.user_id)
        return error_reply(fault)


def _fields(payload: Payload) -> dict[str, Any]:
    if not isinstance(payload, dict):
        raise InvalidMessage(field="payload")
    return payload


def _supports(params: Mapping[str, Any], event: str) -> bool:
    """Return whether the client declares that it supports an event."""
    supports = params.get(event, False)
    if not isinstance(supports, bool):
        raise InvalidMessage(field=event)
    return supports
