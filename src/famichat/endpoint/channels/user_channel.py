"""What concerns one person, on that person's own devices: conversations that come and go, unread counts, devices."""

from typing import Any

from famichat.accounts.sign_in.token import Identity
from famichat.actions.topics import user_topic
from famichat.chat.errors import NotFound
from famichat.endpoint.channels.errors import error_payload, unmatched_event
from famichat.endpoint.denials import report_denied
from famichat.realtime.channel import Channel, JoinRefused
from famichat.realtime.message import Payload, ReplyPayload
from famichat.realtime.socket import Socket


class UserChannel(Channel):
    """`user:<user id>`. The server speaks, the devices listen; see `broadcasts.py` for what it says."""

    def __init__(self, socket: Socket, topic: str) -> None:
        super().__init__(socket, topic)
        self._identity: Identity = socket.assigns

    async def join(self, params: dict[str, Any]) -> dict[str, Any]:
        """Let a person's own devices in.

        Raises:
            Refused: it is somebody else's topic, or nobody's: which of the two, is not said.
        """
        if self.topic != user_topic(self._identity.user_id):
            fault = NotFound()
            report_denied("user_channel", fault, self._identity.user_id)
            raise JoinRefused(error_payload(fault))
        return {"user_id": self._identity.user_id, "device_id": self._identity.device_id}

    async def handle_in(self, event: str, payload: Payload) -> ReplyPayload:
        """Answer that nothing can be said here."""
        return unmatched_event()
