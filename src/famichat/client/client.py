"""A signed-in device: the HTTP API, and conversations that are live over one shared socket."""

from collections.abc import Mapping
from typing import Any, Self

from famichat.client.connection import Connection
from famichat.client.conversation import Acknowledge, Conversation, Position
from famichat.client.http import Http
from famichat.client.phoenix import HEARTBEAT
from famichat.client.saved_session import SavedSession, Session


class Client(Http):
    """A signed-in device. Use it with `async with`.

    Args:
        session: a session, or the file that stores one; see `Http`.
        heartbeat: seconds between heartbeats on the socket; less than 60.
    """

    def __init__(self, session: Session | SavedSession, *, heartbeat: float = HEARTBEAT) -> None:
        super().__init__(session)
        self._connection = Connection(self, heartbeat)

    async def __aenter__(self) -> Self:
        return self

    async def aclose(self) -> None:
        """Close the socket and the HTTP connections."""
        try:
            await self._connection.close()
        finally:
            await super().aclose()

    def conversation(
        self,
        conversation: Mapping[str, Any] | str,
        *,
        position: Position | None = None,
        history: int = 0,
        acknowledge: Acknowledge | None = "delivered",
    ) -> Conversation:
        """A live conversation, to be entered with `async with`. Conversations share one socket.

        Args:
            conversation: what `find_conversation` returned, or a topic `message:<type>:<id>`.
            position: resume after this position, such as `Conversation.position` of an earlier run.
            history: without a position: how many earlier messages are delivered first, at most 200.
            acknowledge: the status that the other members see for delivered messages; None sends no status.
        """
        topic = conversation
        if not isinstance(topic, str):
            topic = f"message:{topic['type']}:{topic['id']}"
        return Conversation(
            self._connection,
            topic,
            user_id=self.user_id,
            position=position,
            history=history,
            acknowledge=acknowledge,
        )
