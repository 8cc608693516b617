"""Tells each conversation that somebody listens to here how far it is, every few seconds.

Between nodes a broadcast is a hint that may be lost, and a commit whose answer was lost is announced by nobody. Whoever
missed a message sees the gap when the next one comes; whoever missed the last one sees it here.
"""

import asyncio
from functools import partial

from sqlalchemy import select
from sqlalchemy.orm import Session

from famichat.actions.topics import ConversationTopic
from famichat.chat.records.conversation import Conversation
from famichat.realtime.pubsub import PubSub
from famichat.storage.database import Database
from famichat.storage.errors import StorageUnavailable

EVERY_SECONDS = 15.0


class HeadBroadcaster:
    """Broadcasts `head` `{"last_seq", "last_change"}` on this node.

    Args:
        database: the truth.
        pubsub: knows who listens here.
    """

    def __init__(self, database: Database, pubsub: PubSub) -> None:
        self._database = database
        self._pubsub = pubsub

    async def run(self) -> None:
        """Broadcast every 15 seconds, until cancelled. A round is skipped while the database does not answer."""
        while True:
            await asyncio.sleep(EVERY_SECONDS)
            topics = [ConversationTopic.parse(topic) for topic in self._pubsub.topics if topic.startswith("message:")]
            if not topics:
                continue
            try:
                heads = await self._database.read(partial(_heads, topics))
            except StorageUnavailable:
                continue  # it was reported where it happened; the next round asks again
            for topic in topics:
                if topic.conversation_id in heads:
                    self._pubsub.broadcast_here(str(topic), "head", heads[topic.conversation_id])


def _heads(topics: list[ConversationTopic], session: Session) -> dict[str, dict[str, int]]:
    ids = [topic.conversation_id for topic in topics]
    query = select(Conversation.id, Conversation.last_seq, Conversation.last_change).where(Conversation.id.in_(ids))
    return {row.id: {"last_seq": row.last_seq, "last_change": row.last_change} for row in session.execute(query)}
