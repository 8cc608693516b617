"""Broadcasts the latest position of each conversation with subscribers on this node, when it has changed.

Messages between nodes may be lost, and a node may crash between a commit and its broadcast. The feeds of this node
deliver the missing ones (`topic_feed`). A client that missed the last message nevertheless notices it here.

A position is broadcast once: a client that subscribes later learns it, or a later one, from the reply to its join. The
position is repeated every few minutes, for clients that could not fetch what they were told of.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from famichat.actions.events.payloads import Head
from famichat.actions.events.topic_feed import TopicFeeds
from famichat.actions.events.topics import ConversationTopic
from famichat.chat.mls.state import epochs_of
from famichat.chat.records.conversation import Conversation
from famichat.realtime.pubsub import PubSub
from famichat.storage.database import Database
from famichat.storage.halving import without_failures

HEAD, HEADS = "head", "heads"
EVERY_SECONDS = 15.0
REPEATED_AFTER_SECONDS = 300.0
TOPICS_PER_QUERY = 1000
"""SQLite accepts at most 32,766 parameters per statement by default, PostgreSQL 65,535."""


class _Announced(NamedTuple):
    head: Head
    at: float


class HeadBroadcaster:
    """Broadcasts `head` `{"last_seq", "last_change", "mls"}` on this node.

    A connection that wants `heads` receives the positions of each round in one frame (`endpoint.channels`).

    Args:
        database: the source of the positions.
        pubsub: knows the topics with subscribers on this node.
        feeds: deliver the missing messages instead of the position.
        clock: returns the time in seconds.
    """

    def __init__(
        self, database: Database, pubsub: PubSub, feeds: TopicFeeds, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._database = database
        self._pubsub = pubsub
        self._feeds = feeds
        self._clock = clock
        self._soon = asyncio.Event()
        self._announced: dict[str, _Announced] = {}

    def broadcast_soon(self) -> None:
        """Broadcast all positions now, because clients may have missed events."""
        self._soon.set()

    async def run(self) -> None:
        """Broadcast every 15 seconds, until cancelled."""
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._soon.wait(), EVERY_SECONDS)
            everything = self._soon.is_set()
            self._soon.clear()
            await self.broadcast(everything=everything)

    async def broadcast(self, *, everything: bool = False) -> None:
        """Broadcast the positions that have changed, or all. The next round repeats what cannot be read now."""
        topics = [ConversationTopic.parse(topic) for topic in self._pubsub.topics if topic.startswith("message:")]
        former: Mapping[str, _Announced] = {} if everything else self._announced
        self._announced = {}
        for start in range(0, len(topics), TOPICS_PER_QUERY):
            chunk = topics[start : start + TOPICS_PER_QUERY]
            async for part, heads in without_failures("head broadcasts", chunk, self._read):
                for topic in part:
                    head = heads.get(topic.conversation_id)
                    if head is not None and not self._feeds.compare(topic, head):
                        self._announce(str(topic), head, former)

    def _announce(self, topic: str, head: Head, former: Mapping[str, _Announced]) -> None:
        known, now = former.get(topic), self._clock()
        if known is None or known.head != head or now - known.at >= REPEATED_AFTER_SECONDS:
            self._pubsub.broadcast_here(topic, HEAD, head)
            known = _Announced(head, now)
        self._announced[topic] = known

    async def _read(self, topics: Sequence[ConversationTopic]) -> dict[str, Head]:
        return await self._database.read(partial(_heads, topics))


def _heads(topics: Sequence[ConversationTopic], session: Session) -> dict[str, Head]:
    ids = [topic.conversation_id for topic in topics]
    query = select(
        Conversation.id, Conversation.last_seq, Conversation.last_change, Conversation.encryption_required
    ).where(Conversation.id.in_(ids))
    rows = session.execute(query).all()
    epochs = epochs_of(session, [row.id for row in rows if row.encryption_required])
    return {
        row.id: {"last_seq": row.last_seq, "last_change": row.last_change, "mls": epochs.get(row.id)} for row in rows
    }
