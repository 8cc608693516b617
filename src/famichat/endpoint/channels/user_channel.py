"""The channel of one user, for that user's own devices: conversations, unread counts, profiles and devices."""

from typing import Any

from famichat.accounts.sign_in.token import Identity
from famichat.actions.payloads import UserJoinReply
from famichat.actions.topics import user_topic
from famichat.chat.errors import NotFound
from famichat.endpoint.channels.errors import error_payload, unmatched_event
from famichat.endpoint.denials import report_denied
from famichat.realtime.channel import Channel, JoinRefused
from famichat.realtime.message import Payload, ReplyPayload
from famichat.realtime.socket import Socket


class UserChannel(Channel):
    """`user:<user id>`. The server only pushes; `actions/broadcasts.py` defines the events."""

    def __init__(self, socket: Socket, topic: str) -> None:
        super().__init__(socket, topic)
        self._identity: Identity = socket.assigns

    async def join(self, params: dict[str, Any]) -> UserJoinReply:
        """Authorize the join for the user's own devices.

        Raises:
            JoinRefused: the topic belongs to another user, or the user does not exist (indistinguishable).
        """
        if self.topic != user_topic(self._identity.user_id):
            fault = NotFound()
            report_denied("user_channel", fault, self._identity.user_id)
            raise JoinRefused(error_payload(fault))
        return {"user_id": self._identity.user_id, "device_id": self._identity.device_id}

    async def handle_in(self, event: str, payload: Payload) -> ReplyPayload:
        """Reply `unmatched_event`, because this channel handles no events."""
        return unmatched_event()
