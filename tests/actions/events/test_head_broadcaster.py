"""Positions of conversations are broadcast when they change, whatever their number."""

from famichat.actions.events.head_broadcaster import REPEATED_AFTER_SECONDS, HeadBroadcaster
from famichat.actions.events.topic_feed import TopicFeeds
from famichat.realtime.pubsub import Dispatch, PubSub
from famichat.storage.base import new_id
from famichat.storage.database import Database
from tests.factories.people import VAULT, Household
from tests.factories.talk import group_of, say


class Listener:
    """A subscriber that records the `last_seq` of each `head`."""

    ids: frozenset[str] = frozenset()

    def __init__(self) -> None:
        self.heads: list[int] = []

    def deliver(self, dispatch: Dispatch) -> None:
        payload = dispatch.broadcast.payload
        assert isinstance(payload, dict)
        self.heads.append(payload["last_seq"])

    def evict(self) -> None:
        raise AssertionError("no one is removed here")


class Room:
    """A group with a subscriber, and the broadcaster of its node."""

    def __init__(self, database: Database, home: Household) -> None:
        self.database, self.home = database, home
        self.id = database.run(lambda session: group_of(session, home))
        self.pubsub, self.listener, self.now = PubSub(), Listener(), 0.0
        self.pubsub.subscribe(f"message:group:{self.id}", self.listener)
        self.heads = HeadBroadcaster(database, self.pubsub, TopicFeeds(database, VAULT, self.pubsub), lambda: self.now)

    def say(self) -> None:
        self.database.run(lambda session: say(session, self.id, self.home.emil, "hej"))


async def test_a_position_is_broadcast_when_it_has_changed(database: Database, household: Household) -> None:
    room = Room(database, household)
    await room.heads.broadcast()
    await room.heads.broadcast()
    assert room.listener.heads == [0]

    room.say()
    await room.heads.broadcast()
    await room.heads.broadcast()

    assert room.listener.heads == [0, 1]


async def test_an_unchanged_position_is_repeated_after_minutes_and_when_clients_may_have_missed_it(
    database: Database, household: Household
) -> None:
    room = Room(database, household)
    await room.heads.broadcast()

    room.now += REPEATED_AFTER_SECONDS
    await room.heads.broadcast()
    await room.heads.broadcast()
    assert room.listener.heads == [0, 0]

    await room.heads.broadcast(everything=True)
    assert room.listener.heads == [0, 0, 0]


async def test_positions_of_more_conversations_than_a_statement_has_parameters_are_broadcast(
    database: Database, household: Household
) -> None:
    room, silent = Room(database, household), Listener()
    for _ in range(66_000):
        room.pubsub.subscribe(f"message:group:{new_id()}", silent)

    await room.heads.broadcast()

    assert room.listener.heads == [0]
    assert silent.heads == []
