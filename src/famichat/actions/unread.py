"""Tells people how much they have not read, soon after it changed: once per conversation, however much was said."""

import asyncio
import contextlib
from typing import Any

from sqlalchemy.orm import Session

from famichat.actions.recent_removals import RecentRemovals
from famichat.actions.topics import user_topic
from famichat.chat.access import everyones_access
from famichat.chat.conversations.summary import unread_counts
from famichat.realtime.pubsub import PubSub
from famichat.storage.database import Database
from famichat.storage.errors import StorageUnavailable

DELAY_SECONDS = 0.1


class UnreadCounts:
    """Pushes `unread` to the devices of each member of a conversation in which something changed.

    Args:
        database: where the counts come from; no client counts by itself.
        pubsub: carries them.
        departures: who must not be told what was read before they went.
    """

    def __init__(self, database: Database, pubsub: PubSub, departures: RecentRemovals) -> None:
        self._database = database
        self._pubsub = pubsub
        self._departures = departures
        self._changed: dict[str, set[str] | None] = {}
        self._wake = asyncio.Event()

    def changed(self, conversation_id: str, reader_id: str | None = None) -> None:
        """Note that something was said in a conversation, or read by one person, to tell its people a moment later.

        What one person reads changes nothing for the others, and they must not even notice it.
        """
        readers = self._changed.get(conversation_id, set())
        self._changed[conversation_id] = None if reader_id is None or readers is None else readers | {reader_id}
        self._wake.set()

    async def run(self) -> None:
        """Push the counts of changed conversations, at most every 0.1 seconds, until cancelled."""
        while True:
            await self._wake.wait()
            await asyncio.sleep(DELAY_SECONDS)
            self._wake.clear()
            changed, self._changed = self._changed, {}
            # The database has reported it; the next message and the next sign-in bring the counts again.
            with contextlib.suppress(StorageUnavailable):
                await self._tell(changed)

    async def _tell(self, changed: dict[str, set[str] | None]) -> None:
        for user_id, payload in await self._database.read(lambda session: _counts(session, changed)):
            if not self._departures.just_went(user_id, payload["conversation_id"]):
                self._pubsub.broadcast(user_topic(user_id), "unread", payload)


def _counts(session: Session, changed: dict[str, set[str] | None]) -> list[tuple[str, dict[str, Any]]]:
    accesses = [
        access
        for conversation_id, readers in changed.items()
        for access in everyones_access(session, conversation_id)
        if readers is None or access.user_id in readers
    ]
    unread = unread_counts(session, accesses)
    return [
        (
            access.user_id,
            {
                "conversation_id": access.conversation.id,
                "last_seq": access.conversation.last_seq,
                "unread": unread.get((access.conversation.id, access.user_id), 0),
            },
        )
        for access in accesses
    ]
