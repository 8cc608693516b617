"""Messages are delivered in order and without gaps, whichever node stored them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from sqlalchemy.orm import Session

from famichat.actions.events.topic_feed import TopicFeeds
from famichat.actions.events.topics import ConversationTopic
from famichat.chat.conversations.create import create_direct_conversation
from famichat.chat.messages.schema import MessageView
from famichat.chat.messages.view import message_views
from famichat.chat.records.message import Message
from famichat.realtime.pubsub import PubSub
from famichat.storage.database import Database
from famichat.storage.errors import StorageUnavailable
from tests.factories.people import INDEX, VAULT, Household
from tests.factories.talk import say
from tests.realtime.test_pubsub import Listener, Wire
from tests.support.running import running
from tests.support.statements import read_statements


class Talk:
    """A conversation with a client on the node under test, and the announcements of another node."""

    def __init__(self, database: Database, home: Household) -> None:
        self.database, self.home, wire = database, home, Wire()
        self.pubsub, self.other = PubSub(wire.node()), PubSub(wire.node())
        self.feeds = TopicFeeds(database, VAULT, self.pubsub)
        created = database.run(
            lambda s: create_direct_conversation(s, home.maja.user_id, home.emil.user_id, blind_index=INDEX)
        )
        self.topic = ConversationTopic("direct", created.conversation.id)
        self.client = Listener()

    def say(self, number: int) -> list[MessageView]:
        """Store messages, as any node may."""

        def work(session: Session) -> list[MessageView]:
            ids = say(session, self.topic.conversation_id, self.home.maja, *(f"m{n}" for n in range(number)))
            return message_views(session, [session.get_one(Message, each) for each in ids], VAULT)

        return self.database.run(work)

    def join(self, seq: int = 0, change: int = 0) -> None:
        """Subscribe a client that has read up to a position."""
        self.pubsub.subscribe(str(self.topic), self.client)
        self.feeds.joined(str(self.topic), seq, change)

    def announce(self, **positions: int) -> None:
        """Announce positions, as another node does."""
        self.other.publish("advanced", {"topic": str(self.topic), **positions})

    @property
    def received(self) -> list[int]:
        """The positions of the messages that the client received."""
        return [each.payload["seq"] for each in self.client.received if isinstance(each.payload, dict)]

    async def until(self, number: int) -> None:
        """Wait until the client has received so many events."""
        async with asyncio.timeout(10):
            while len(self.client.received) < number:  # noqa: ASYNC110 - delivery has no event
                await asyncio.sleep(0.005)


@pytest.fixture
def talk(database: Database, household: Household) -> Talk:
    return Talk(database, household)


@asynccontextmanager
async def reading(talk: Talk) -> AsyncIterator[list[str]]:
    with read_statements(talk.database) as statements:
        async with running(talk.feeds):
            yield statements


async def test_messages_of_this_node_are_delivered_at_once_and_without_a_read(talk: Talk) -> None:
    views = talk.say(3)
    talk.join()
    async with reading(talk) as statements:
        for view in views:
            talk.feeds.stored(talk.topic, view)
            assert talk.received[-1] == view["seq"]

    assert statements == []


async def test_a_message_of_another_node_is_read_before_a_later_one_of_this_node(talk: Talk) -> None:
    talk.join()
    async with reading(talk):
        views = talk.say(3)
        talk.feeds.stored(talk.topic, views[1])
        talk.announce(seq=3)
        assert talk.received == []
        await talk.until(3)
        talk.feeds.stored(talk.topic, views[2])

    assert talk.received == [1, 2, 3]
    assert [each.payload for each in talk.client.received] == views


async def test_announcements_of_many_messages_cost_one_read(talk: Talk) -> None:
    talk.join()
    views = talk.say(30)
    async with reading(talk) as statements:
        for view in views:
            talk.announce(seq=view["seq"])
        await talk.until(30)
        talk.announce(seq=30)
        talk.announce(seq=7)
        await asyncio.sleep(0.02)

    assert talk.received == list(range(1, 31))
    assert len(statements) <= 3, "messages, changes and attachments"


async def test_more_than_a_page_is_read_in_order(talk: Talk) -> None:
    talk.join()
    talk.say(450)
    async with reading(talk):
        talk.announce(seq=450)
        await talk.until(450)

    assert talk.received == list(range(1, 451))


async def test_nothing_is_delivered_or_read_without_a_client(talk: Talk) -> None:
    view = talk.say(1)[0]
    async with reading(talk) as statements:
        talk.announce(seq=1)
        assert talk.feeds.stored(talk.topic, view) == 0
        talk.join(1)
        talk.pubsub.unsubscribe(str(talk.topic), talk.client)
        talk.announce(seq=2)
        await asyncio.sleep(0.02)

    assert (talk.feeds._feeds, talk.feeds._behind, statements) == ({}, {}, [])


async def test_what_is_stored_during_a_join_is_delivered_after_it(talk: Talk) -> None:
    first, second = talk.say(2)
    talk.pubsub.subscribe(str(talk.topic), talk.client)
    talk.feeds.stored(talk.topic, first)
    talk.feeds.stored(talk.topic, second)
    assert talk.received == []
    talk.feeds.joined(str(talk.topic), 1, 0)

    assert talk.received == [2]


async def test_of_two_joins_under_way_the_one_that_has_read_less_must_read_again(talk: Talk) -> None:
    talk.pubsub.subscribe(str(talk.topic), talk.client)

    assert talk.feeds.joined(str(talk.topic), 3, 1)
    assert not talk.feeds.joined(str(talk.topic), 2, 1)
    assert not talk.feeds.joined(str(talk.topic), 3, 0)
    assert talk.feeds.joined(str(talk.topic), 3, 1)


async def test_a_read_that_fails_is_repeated(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("famichat.actions.events.topic_feed._RETRY_SECONDS", 0.01)
    talk.join()
    talk.say(1)
    real, failures = talk.database.read, iter([True, True, True, False])

    async def fails(work: object) -> object:
        if next(failures, False):
            raise StorageUnavailable("away")
        return await real(work)  # type: ignore[arg-type]

    monkeypatch.setattr(talk.database, "read", fails)
    async with running(talk.feeds):
        talk.announce(seq=1)
        await talk.until(1)

    assert talk.received == [1]


async def test_the_positions_of_the_database_replace_lost_announcements(talk: Talk) -> None:
    talk.join()
    talk.say(2)
    async with reading(talk):
        assert talk.feeds.compare(talk.topic, {"last_seq": 2, "last_change": 0, "mls": None})
        await talk.until(2)

    assert talk.received == [1, 2]
    assert not talk.feeds.compare(talk.topic, {"last_seq": 2, "last_change": 0, "mls": None})
