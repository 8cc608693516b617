"""The channel of one user, for that user's own devices: conversations, unread counts, profiles, devices, attention."""

from typing import Any

from famichat.actions.events.payloads import UserJoinReply
from famichat.actions.events.topics import user_topic
from famichat.actions.notifications import confirm_notification
from famichat.chat.errors import InvalidMessage, NotFound
from famichat.endpoint.channels.connected_device import ConnectedDevice
from famichat.endpoint.channels.errors import error_payload, error_reply, unmatched_event
from famichat.endpoint.denials import report_denied
from famichat.endpoint.http.context import Context
from famichat.errors import FamichatError
from famichat.realtime.channel import Channel, JoinRefused
from famichat.realtime.message import Payload, ReplyPayload, ok
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
            JoinRefused: the topic belongs to another user, or the user does not exist (indistinguishable); or
                `foreground` is malformed.
        """
        try:
            if self.topic != user_topic(self._identity.user_id):
                raise NotFound
            if "foreground" in params:
                self._device.report(params)
        except FamichatError as fault:
            report_denied("user_channel", fault, self._identity.user_id)
            raise JoinRefused(error_payload(fault)) from fault
        return {"user_id": self._identity.user_id, "device_id": self._identity.device_id}

    async def handle_in(self, event: str, payload: Payload) -> ReplyPayload:
        """Handle `attention` and `notified`. Other events get the reply `unmatched_event`."""
        try:
            match event:
                case "attention":
                    self._device.report(_fields(payload))
                case "notified":
                    await confirm_notification(self._context, self._identity, _fields(payload))
                case _:
                    return unmatched_event()
        except Exception as fault:  # noqa: BLE001 - `error_reply` logs unexpected errors; the channel stays open
            report_denied("user_channel", fault, self._identity.user_id)
            return error_reply(fault)
        return ok()


def _fields(payload: Payload) -> dict[str, Any]:
    if not isinstance(payload, dict):
        raise InvalidMessage(field="payload")
    return payload
