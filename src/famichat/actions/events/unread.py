"""Publishes unread counts shortly after they change: once per conversation, however many messages arrive meanwhile."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from sqlalchemy import select
from sqlalchemy.orm import Session

from famichat.actions.events.payloads import UnreadCount
from famichat.actions.events.recent_removals import RecentRemovals
from famichat.actions.events.topics import user_topic
from famichat.chat.conversations.summary import unread_counts
from famichat.chat.records.conversation import Conversation
from famichat.chat.records.participant import Participant
from famichat.realtime.pubsub import PubSub
from famichat.storage.database import Database
from famichat.storage.halving import without_failures

DELAY_SECONDS = 0.1

_Changed = tuple[str, set[str] | None]  # a conversation, and its only readers whose count changed


class UnreadCounts:
    """Pushes `unread` to the devices of the members of a conversation that changed, if they joined their `user:` topic.

    Args:
        database: the source of the counts; clients do not count.
        pubsub: delivers them.
        removals: members who were removed a moment ago, and must not receive counts that were read before.
    """

    def __init__(self, database: Database, pubsub: PubSub, removals: RecentRemovals) -> None:
        self._database = database
        self._pubsub = pubsub
        self._removals = removals
        self._changed: dict[str, set[str] | None] = {}
        self._wake = asyncio.Event()

    def changed(self, conversation_id: str, reader_id: str | None = None) -> None:
        """Schedule the counts of a conversation to be published a moment later.

        Args:
            conversation_id: the conversation.
            reader_id: the only user whose count changed, because that user has read; None after a new message. What
                one user reads must not be visible to the others, not even as an unchanged count.
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
            await self._tell(list(changed.items()))

    async def _tell(self, changed: list[_Changed]) -> None:
        # What cannot be read now comes again with the next message and the next sign-in.
        async for _, counts in without_failures("unread counts", changed, self._read):
            for user_id, payload in counts:
                if (user_id, payload["conversation_id"]) not in self._removals:
                    self._pubsub.broadcast(user_topic(user_id), "unread", payload)

    async def _read(self, changed: Sequence[_Changed]) -> list[tuple[str, UnreadCount]]:
        return await self._database.read(partial(_counts, dict(changed), self._listens))

    def _listens(self, user_id: str) -> bool:
        return self._pubsub.may_have_subscribers(user_topic(user_id))


def _counts(
    changed: Mapping[str, set[str] | None], listens: Callable[[str], bool], session: Session
) -> list[tuple[str, UnreadCount]]:
    """Count for the members whose count changed and who listen, with two queries for all conversations."""
    members = (
        select(Participant.conversation_id, Participant.user_id, Conversation.last_seq)
        .join(Conversation, Conversation.id == Participant.conversation_id)
        .where(Participant.conversation_id.in_(changed))
    )
    last_seqs = {
        (conversation_id, user_id): last_seq
        for conversation_id, user_id, last_seq in session.execute(members)
        if ((readers := changed[conversation_id]) is None or user_id in readers) and listens(user_id)
    }
    unread = unread_counts(session, last_seqs) if last_seqs else {}
    return [
        (
            user_id,
            {
                "conversation_id": conversation_id,
                "last_seq": last_seq,
                "unread": unread.get((conversation_id, user_id), 0),
            },
        )
        for (conversation_id, user_id), last_seq in last_seqs.items()
    ]
