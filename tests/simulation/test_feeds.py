"""The journal and the feeds of three nodes, simulated: every client receives every message once and in order.

The real classes run on a virtual clock and one SQLite. A seed decides who sends, when clients join, what the broker
loses, repeats and reorders, and when the database does not answer or does not confirm a commit.
"""

import asyncio
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, cast

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from famichat.actions.events.head_broadcaster import HeadBroadcaster
from famichat.actions.events.topic_feed import NEW, TopicFeeds
from famichat.actions.events.topics import ConversationTopic
from famichat.chat.journal.entry import Entry
from famichat.chat.journal.journal import Journal
from famichat.chat.messages.schema import MessageView
from famichat.chat.records.conversation import Conversation
from famichat.chat.records.message import BODY_PURPOSE
from famichat.realtime.pubsub import Dispatch, PubSub
from famichat.storage.base import new_id
from famichat.storage.database import Database
from famichat.storage.errors import StorageUnavailable
from tests.factories import people
from tests.factories.people import VAULT, Household
from tests.factories.talk import entry_of, group_of
from tests.simulation.virtual import World, run
from tests.support.effort import repetitions

NODES, MESSAGES, SEEDS = 3, 25, range(repetitions(4, long=2000))
T = TypeVar("T")


class SimulatedDatabase(Database):
    """A database whose answers take virtual time, and may be lost."""

    world: World

    async def _in_thread(self, _executor: Any, operation: str, work: Callable[[], T]) -> T:
        await asyncio.sleep(self.world.random.uniform(0.001, 0.02))
        chance = self.world.random.random() if self.world.faulty else 0.5
        if chance < 0.1:
            raise StorageUnavailable(operation)
        result = work()
        if chance > 0.9 and operation == "journal":  # committed, but the answer is lost
            raise StorageUnavailable(operation)
        return result


class Client:
    """A client that notices gaps and repetitions; a `Subscriber`."""

    ids: frozenset[str] = frozenset()

    def __init__(self) -> None:
        self.position: int | None = None
        self.joined_at = 0
        self.held: list[int] = []
        self.out_of_order: list[tuple[int, int]] = []

    def deliver(self, dispatch: Dispatch) -> None:
        if dispatch.broadcast.event == NEW:
            seq = cast("dict[str, Any]", dispatch.broadcast.payload)["seq"]
            self.held.append(seq) if self.position is None else self.receive(seq)

    def evict(self) -> None:
        raise AssertionError("no client is removed")

    def receive(self, seq: int) -> None:
        assert self.position is not None
        if seq <= self.joined_at:
            return  # the reply to the join contained it
        if seq != self.position + 1:
            self.out_of_order.append((self.position, seq))
        self.position = seq

    def join_at(self, seq: int) -> None:
        self.joined_at = self.position = seq
        for each in self.held:
            self.receive(each)


class Node:
    """One server: its journal, its feeds and its clients."""

    def __init__(self, world: World, database: SimulatedDatabase, topic: ConversationTopic) -> None:
        self.world, self.database, self.topic = world, database, topic
        self.pubsub = PubSub(world.broker())
        self.journal = Journal(database)
        self.feeds = TopicFeeds(database, VAULT, self.pubsub)
        self.heads = HeadBroadcaster(database, self.pubsub, self.feeds, world.loop.time)
        self.clients: list[Client] = []

    async def send(self, entry: Entry) -> None:
        """Append a message until it is confirmed, as a client does."""
        while True:
            try:
                await self.journal.append(entry, lambda stored: self._stored(stored.seq))
            except StorageUnavailable:
                await asyncio.sleep(self.world.random.uniform(0.1, 1))
            else:
                return

    def _stored(self, seq: int) -> None:
        self.feeds.stored(self.topic, cast("MessageView", {"seq": seq, "change": 0}))

    async def join(self) -> None:
        """Let a client join as `MessageChannel` does: subscribe, read, and read again if another join read more."""
        client = Client()
        self.pubsub.subscribe(str(self.topic), client)
        while True:
            try:
                seq = await self.database.read(lambda session: newest(session, self.topic.conversation_id))
            except StorageUnavailable:
                continue
            if self.feeds.joined(str(self.topic), seq, 0):
                break
        client.join_at(seq)
        self.clients.append(client)


def newest(session: Session, conversation_id: str) -> int:
    """The position of the newest message."""
    return session.execute(select(Conversation.last_seq).where(Conversation.id == conversation_id)).scalar_one()


def sealed_entry(world: World, home: Household, conversation_id: str) -> Entry:
    """A message that a client can send again."""
    sender, message_id = world.random.choice((home.maja, home.emil)), new_id()
    fields = {"id": message_id, "body": VAULT.seal(BODY_PURPOSE, b"hej", message_id)}
    return entry_of(conversation_id, sender, client_id=message_id, fingerprint=b"f" * 16, **fields)


class Outcome(NamedTuple):
    """What a run ends with."""

    stored: int
    positions: list[int | None]
    out_of_order: list[tuple[int, int]]
    trace: list[tuple[float, int, int, str]]


async def conversation_in(world: World, database: SimulatedDatabase, home: Household) -> Outcome:
    """Let clients join and send on all nodes while everything is faulty, then wait until it has been quiet."""
    database.world = world
    topic = ConversationTopic("group", database.run(partial(group_of, household=home)))
    nodes = [Node(world, database, topic) for _ in range(NODES)]
    tasks = [asyncio.create_task(work()) for node in nodes for work in (node.feeds.run, node.heads.run)]
    sent: list[asyncio.Task[None]] = []
    for _ in range(MESSAGES):
        await asyncio.sleep(world.random.expovariate(4))
        entry = sealed_entry(world, home, topic.conversation_id)
        sent.append(asyncio.create_task(world.random.choice(nodes).send(entry)))
        if world.random.random() < 0.2:
            sent.append(asyncio.create_task(world.random.choice(nodes).join()))
    await asyncio.gather(*sent)
    world.faulty = False
    await asyncio.sleep(20)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    clients = [client for node in nodes for client in node.clients]
    stored = database.run(partial(newest, conversation_id=topic.conversation_id))
    out_of_order = [each for client in clients for each in client.out_of_order]
    return Outcome(stored, [client.position for client in clients], out_of_order, world.trace)


@pytest.fixture
def outcome_of(migrated_sqlite: Path, tmp_path: Path) -> Iterator[Callable[[int], Outcome]]:
    shutil.copy(migrated_sqlite, tmp_path / "famichat.db")
    database = SimulatedDatabase(f"sqlite:///{tmp_path / 'famichat.db'}")
    home = database.run(people.household)
    yield lambda seed: run(seed, lambda world: conversation_in(world, database, home))
    database.close()


def is_right(outcome: Outcome) -> bool:
    return outcome.stored == MESSAGES and set(outcome.positions) <= {MESSAGES} and not outcome.out_of_order


def test_every_client_receives_every_message_once_and_in_order(outcome_of: Callable[[int], Outcome]) -> None:
    outcomes = {seed: outcome_of(seed) for seed in SEEDS}

    assert [seed for seed, outcome in outcomes.items() if not is_right(outcome)] == []
    assert sum(len(outcome.positions) for outcome in outcomes.values()) > len(SEEDS), "too few clients joined"


def test_the_same_seed_gives_the_same_delivery(outcome_of: Callable[[int], Outcome]) -> None:
    assert outcome_of(3) == outcome_of(3) != outcome_of(4)


def test_feeds_that_do_not_compare_with_the_database_are_found(
    outcome_of: Callable[[int], Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TopicFeeds, "compare", lambda *_: False)

    assert any(not is_right(outcome_of(seed)) for seed in SEEDS)
