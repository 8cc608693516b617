"""Every topic that this server does not have: a join is refused with the reason of the contract."""

from typing import Any

from famichat.actions.topics import InvalidTopic
from famichat.endpoint.channels.errors import error_payload
from famichat.realtime.channel import Channel, JoinRefused


class UnknownChannel(Channel):
    """Nobody can join it."""

    async def join(self, params: dict[str, Any]) -> dict[str, Any]:
        """Refuse.

        Raises:
            Refused: always, with `invalid_topic_format`.
        """
        raise JoinRefused(error_payload(InvalidTopic()))
