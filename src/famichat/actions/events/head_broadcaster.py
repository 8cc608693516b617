"""Broadcasts the latest positions of every conversation with subscribers on this node, every few seconds.

Broadcasts between nodes may be lost, and a node may crash between a commit and its broadcast. A client that missed a
message notices the gap with the next message; a client that missed the last message notices it here.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from functools import partial

from sqlalchemy import select
from sqlalchemy.orm import Session

from famichat.actions.events.payloads import Head
from famichat.actions.events.topics import ConversationTopic
from famichat.chat.records.conversation import Conversation
from famichat.realtime.pubsub import PubSub
from famichat.storage.database import Database
from famichat.storage.halving import without_failures

EVERY_SECONDS = 15.0


class HeadBroadcaster:
    """Broadcasts `head` `{"last_seq", "last_change"}` on this node.

    Args:
        database: the source of the positions.
        pubsub: knows the topics with subscribers on this node.
    """

    def __init__(self, database: Database, pubsub: PubSub) -> None:
        self._database = database
        self._pubsub = pubsub
        self._soon = asyncio.Event()

    def broadcast_soon(self) -> None:
        """Broadcast now instead of at the end of the current interval, because clients may have missed events."""
        self._soon.set()

    async def run(self) -> None:
        """Broadcast every 15 seconds, until cancelled. The next round repeats what cannot be read now."""
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._soon.wait(), EVERY_SECONDS)
            self._soon.clear()
            topics = [ConversationTopic.parse(topic) for topic in self._pubsub.topics if topic.startswith("message:")]
            async for part, heads in without_failures("head broadcasts", topics, self._read):
                for topic in part:
                    if topic.conversation_id in heads:
                        self._pubsub.broadcast_here(str(topic), "head", heads[topic.conversation_id])

    async def _read(self, topics: Sequence[ConversationTopic]) -> dict[str, Head]:
        return await self._database.read(partial(_heads, topics))


def _heads(topics: Sequence[ConversationTopic], session: Session) -> dict[str, Head]:
    ids = [topic.conversation_id for topic in topics]
    query = select(Conversation.id, Conversation.last_seq, Conversation.last_change).where(Conversation.id.in_(ids))
    return {row.id: {"last_seq": row.last_seq, "last_change": row.last_change} for row in session.execute(query)}
