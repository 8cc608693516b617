"""The channel for topics that no other channel handles. It refuses every join."""

from typing import Any

from famichat.actions.events.topics import InvalidTopic
from famichat.endpoint.channels.errors import error_payload
from famichat.realtime.channel import Channel, JoinRefused


class UnknownChannel(Channel):
    """Refuses every join."""

    async def join(self, params: dict[str, Any]) -> dict[str, Any]:
        """Refuse the join.

        Raises:
            JoinRefused: always, with `invalid_topic_format`.
        """
        raise JoinRefused(error_payload(InvalidTopic()))
