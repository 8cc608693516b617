"""Closes what lost access on this node, as the database says, also while the broker is away.

Each node reads the table `removed_access` twice a second, so a user who is removed on another node loses the channels
here within a second. Broker messages only make it faster. A node that could not read for 5 seconds does not know who
lost access: it delivers nothing (`realtime.lease`) and fails `/readyz`, until it has read again.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session

from famichat.actions.events.recent_removals import RecentRemovals
from famichat.actions.events.topics import ConversationTopic, connections_of_device, connections_of_user
from famichat.chat.records.conversation import CONVERSATION_TYPES
from famichat.chat.records.participant import Participant
from famichat.realtime.lease import Lease
from famichat.realtime.pubsub import PubSub
from famichat.storage.access_removal import Removals, RemovedAccess, newest_position, removals_since
from famichat.storage.database import Database
from famichat.storage.errors import StorageUnavailable

EVERY_SECONDS = 0.5
LEASE_SECONDS = 5.0
_PAIRS_PER_QUERY = 1000


@dataclass(frozen=True, slots=True)
class _Found:
    """The result of one read: removals, and the (conversation, user) pairs of them that are members again."""

    removals: Removals
    members_again: frozenset[tuple[str | None, str]]


class RemovedAccessReader:
    """Reads removals and applies each once.

    Args:
        database: the source of the removals.
        pubsub: closes channels and connections of this node, and releases held broadcasts after each read.
        recent: keeps removed members from receiving views that were read before.
        lease: renewed with each read; the one of `pubsub`.
        on_recovery: called after a read that followed an expired lease, because events may have been missed.
    """

    def __init__(
        self,
        database: Database,
        pubsub: PubSub,
        recent: RecentRemovals,
        lease: Lease,
        on_recovery: Callable[[], None],
    ) -> None:
        self._database = database
        self._pubsub = pubsub
        self._recent = recent
        self._lease = lease
        self._on_recovery = on_recovery
        self._position = 0
        self._applied: frozenset[int] = frozenset()

    async def start(self) -> None:
        """Find the position to read from. Call before clients can connect: joins see all removals before it.

        Raises:
            StorageUnavailable: the database did not answer.
        """
        started_at = self._lease.now()
        self._position = await self._database.read_undelayed(newest_position)
        self._lease.renew(started_at)

    async def run(self) -> None:
        """Read every 0.5 seconds, until cancelled. While the database does not answer, the lease expires."""
        while True:
            await asyncio.sleep(EVERY_SECONDS)
            with suppress(StorageUnavailable):  # the database has reported it; the next round tries again
                await self.read()

    async def read(self) -> None:
        """Apply the removals since the last read, then deliver what was held back meanwhile.

        Raises:
            StorageUnavailable: the database did not answer.
        """
        started_at, had_expired = self._lease.now(), not self._lease.valid
        found = await self._database.read_undelayed(partial(_read, self._position))
        for row in found.removals.rows:
            # A user who was added again is not evicted: the channel may belong to the new membership.
            if row.id not in self._applied and (row.conversation_id, row.user_id) not in found.members_again:
                self._apply(row)
        self._position = found.removals.position
        self._applied = frozenset(row.id for row in found.removals.rows)
        self._lease.renew(started_at)
        self._pubsub.release_held()
        if had_expired:
            self._on_recovery()

    def _apply(self, row: RemovedAccess) -> None:
        user = connections_of_user(row.user_id)
        if row.conversation_id is not None:
            self._recent.add(row.user_id, row.conversation_id)
            for kind in CONVERSATION_TYPES:
                self._pubsub.evict_here(str(ConversationTopic(kind, row.conversation_id)), user)
        else:
            self._pubsub.disconnect_here(user if row.device_id is None else connections_of_device(row.device_id))


def _read(position: int, session: Session) -> _Found:
    removals = removals_since(session, position)
    pairs = [(row.conversation_id, row.user_id) for row in removals.rows if row.conversation_id is not None]
    chunks = [pairs[start : start + _PAIRS_PER_QUERY] for start in range(0, len(pairs), _PAIRS_PER_QUERY)]
    return _Found(removals, frozenset(pair for chunk in chunks for pair in _members(session, chunk)))


def _members(session: Session, pairs: Sequence[tuple[str | None, str]]) -> Iterator[tuple[str, str]]:
    member = tuple_(Participant.conversation_id, Participant.user_id)
    found = session.execute(select(Participant.conversation_id, Participant.user_id).where(member.in_(pairs)))
    return ((row.conversation_id, row.user_id) for row in found)
