"""Unread counts are read for users who listen, with as many statements for many conversations as for one."""

import asyncio
from contextlib import suppress

from sqlalchemy.orm import Session

from famichat.actions.events.recent_removals import RecentRemovals
from famichat.actions.events.unread import UnreadCounts
from famichat.chat.conversations.create import create_group_conversation
from famichat.realtime.pubsub import Dispatch, PubSub
from famichat.storage.database import Database
from tests.factories.people import VAULT, Household, Person
from tests.factories.talk import say
from tests.support.statements import read_statements


class Listener:
    """A subscriber of a user's topic that knows when it has received enough."""

    ids: frozenset[str] = frozenset()

    def __init__(self, expected: int) -> None:
        self.counts: list[tuple[str, int]] = []
        self.complete = asyncio.Event()
        self._expected = expected

    def deliver(self, dispatch: Dispatch) -> None:
        payload = dispatch.broadcast.payload
        assert isinstance(payload, dict)
        self.counts.append((payload["conversation_id"], payload["unread"]))
        if len(self.counts) == self._expected:
            self.complete.set()

    def evict(self) -> None:
        raise AssertionError("no one is removed here")


def groups_with_news(database: Database, home: Household, number: int) -> list[str]:
    """Create groups of three people in which Maja has sent one message."""

    def fill(session: Session) -> list[str]:
        others = [home.emil.user_id, home.inga.user_id]
        ids = [
            create_group_conversation(session, home.maja.user_id, f"Group {index}", others).conversation.id
            for index in range(number)
        ]
        for conversation_id in ids:
            say(session, conversation_id, home.maja, "hej")
        return ids

    return database.run(fill)


async def published(database: Database, who: Person, conversation_ids: list[str]) -> tuple[Listener, list[str]]:
    """Publish the counts of conversations to one user who listens; also return the statements."""
    pubsub, listener = PubSub(), Listener(len(conversation_ids))
    pubsub.subscribe(f"user:{who.user_id}", listener)
    unread = UnreadCounts(database, VAULT, pubsub, RecentRemovals())
    running = asyncio.create_task(unread.run())
    with read_statements(database) as statements:
        for conversation_id in conversation_ids:
            unread.changed(conversation_id)
        await listener.complete.wait()
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    return listener, statements


async def test_thirty_conversations_cost_as_many_statements_as_one(database: Database, household: Household) -> None:
    groups = groups_with_news(database, household, 30)

    _, for_one = await published(database, household.emil, groups[:1])
    listener, for_all = await published(database, household.emil, groups)

    assert sorted(listener.counts) == sorted((each, 1) for each in groups)
    assert len(for_all) == len(for_one) == 2


async def test_counts_are_read_only_for_users_who_listen(database: Database, household: Household) -> None:
    (group,) = groups_with_news(database, household, 1)
    asked, told = [], asyncio.Event()

    class Watched(PubSub):
        def broadcast_here(self, topic: str, *_rest: object, **_options: object) -> int:
            asked.append(topic)
            told.set()
            return 0

    pubsub = Watched()
    pubsub.subscribe(f"user:{household.inga.user_id}", Listener(1))
    unread = UnreadCounts(database, VAULT, pubsub, RecentRemovals())
    running = asyncio.create_task(unread.run())
    unread.changed(group)
    await told.wait()
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running

    assert asked == [f"user:{household.inga.user_id}"]
