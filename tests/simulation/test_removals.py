"""Removals on three nodes, simulated: whatever the broker loses, and whichever database is slow or away, access ends.

The real readers, leases and pub/sub run on a virtual clock. A seed decides who is removed where and when, what the
broker loses, repeats and reorders, and when the database of a node is slow or does not answer.
"""

import asyncio
import shutil
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import pytest
from sqlalchemy.orm import Session

from famichat.accounts.device import revoke_device
from famichat.actions.events import removed_access
from famichat.actions.events.recent_removals import RecentRemovals
from famichat.actions.events.removed_access import LEASE_SECONDS, RemovedAccessReader
from famichat.actions.events.topics import connections_of_device, connections_of_user, user_ids
from famichat.chat.account_deletion import delete_account
from famichat.chat.conversations.create import create_group_conversation
from famichat.chat.groups.membership import add_to_group, remove_from_group
from famichat.realtime.lease import Lease
from famichat.realtime.pubsub import Dispatch, PubSub
from famichat.storage.database import Database
from famichat.storage.errors import StorageUnavailable
from tests.factories import people
from tests.factories.people import Household, Person
from tests.simulation.virtual import World, run
from tests.support.effort import repetitions

NODES, SEEDS, SECONDS = 3, range(repetitions(4, long=1000)), 25.0
PROMISED_SECONDS = 1.0
LONGEST_FAULT = 12.0
T = TypeVar("T")


class NodesDatabase(Database):
    """The database as one node sees it: its answers take virtual time, and it is away or slow for a while."""

    world: World
    away = slow = (0.0, 0.0)

    async def read_undelayed(self, work: Callable[[Session], T]) -> T:
        random, now = self.world.random, self.world.loop.time()
        await asyncio.sleep(random.uniform(0.001, 0.02))
        if self.away[0] <= now < self.away[1]:
            await asyncio.sleep(random.uniform(0, 4))
            raise StorageUnavailable("read")
        result = self.run_read(work)
        is_slow = self.slow[0] <= now < self.slow[1]
        await asyncio.sleep(random.uniform(3, 4) if is_slow else random.uniform(0.001, 0.02))
        return result

    def is_well(self, since: float, until: float) -> bool:
        return all(end < since or until < begin for begin, end in (self.away, self.slow))


class Client:
    """A channel of one person on one node; a `Subscriber` and a `Disconnectable`."""

    def __init__(self, node: "Node", who: Person) -> None:
        self.node, self.who = node, who
        self.ids = frozenset(user_ids(who.user_id, who.device_id))
        self.received: list[float] = []
        self.is_open, self.opened_at = True, node.world.loop.time()
        node.pubsub.subscribe(node.topic, self)
        node.pubsub.connected(self)

    def deliver(self, _dispatch: Dispatch) -> None:
        self.received.append(self.node.world.loop.time())

    def evict(self) -> None:
        self.is_open = False
        self.node.pubsub.unsubscribe(self.node.topic, self)

    def disconnect(self) -> None:
        self.evict()
        self.node.pubsub.disconnected(self)


class Node:
    """One server: the reader of its removals, and its clients."""

    def __init__(self, world: World, url: str, group: str) -> None:
        self.world, self.topic = world, f"message:group:{group}"
        self.database = NodesDatabase(url)
        self.database.world = world
        lease = Lease(LEASE_SECONDS, world.loop.time)
        self.pubsub = PubSub(world.broker(), lease)
        recent = RecentRemovals(world.loop.time)
        self.reader = RemovedAccessReader(self.database, self.pubsub, recent, lease, lambda: None)
        self.clients: list[Client] = []

    async def talk(self) -> None:
        """Broadcast without a pause what needs no database, such as who is typing."""
        while True:
            await asyncio.sleep(self.world.random.uniform(0.1, 0.2))
            self.pubsub.broadcast(self.topic, "typing", {})


class Removed(NamedTuple):
    """Who lost access, and when; `back_at` is when that person was added again."""

    who: Person
    at: float
    back_at: float


class Outcome(NamedTuple):
    """What a run ends with: frames that came too late, clients that are in a wrong state, and the messages."""

    late: list[tuple[str, float]]
    wrong: list[str]
    delivered: int
    trace: list[tuple[float, int, int, str]]


async def removals_in(world: World, database: Database, home: Household) -> Outcome:
    """Remove three people while everything is faulty, add one of them again, and look who received what."""
    others = [each.user_id for each in home.everyone if each is not home.maja]
    group = database.run(lambda s: create_group_conversation(s, home.maja.user_id, "Holiday", others)).conversation.id
    nodes = [Node(world, database.url.render_as_string(), group) for _ in range(NODES)]
    for node in nodes:
        await node.reader.start()
        node.clients += [Client(node, who) for who in home.everyone]
        begins = [world.random.uniform(0, 8) for _ in range(2)]
        node.database.away = (begins[0], begins[0] + world.random.uniform(1, LONGEST_FAULT))
        node.database.slow = (begins[1], begins[1] + world.random.uniform(1, LONGEST_FAULT))
    tasks = [asyncio.create_task(work()) for node in nodes for work in (node.reader.run, node.talk)]
    removed = await asyncio.gather(
        remove(world, database, nodes, home.emil, partial(leave_group, home, group), back=partial(rejoin, home, group)),
        remove(world, database, nodes, home.inga, lambda s: revoke_device(s, home.inga.user_id, home.inga.device_id)),
        remove(world, database, nodes, home.nils, lambda s: delete_account(s, home.nils.user_id)),
    )
    await asyncio.sleep(SECONDS - world.loop.time())
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    for node in nodes:
        node.database.close()
    late = [each for removal in removed for node in nodes for each in too_late(node, removal)]
    wrong = [client.who.username for node in nodes for client in node.clients if not is_right(client, removed)]
    return Outcome(late, wrong, sum(len(c.received) for node in nodes for c in node.clients), world.trace)


def leave_group(home: Household, group: str, session: Session) -> None:
    remove_from_group(session, home.maja.user_id, group, home.emil.user_id)


def rejoin(home: Household, group: str, session: Session) -> None:
    add_to_group(session, home.maja.user_id, group, home.emil.user_id)


async def remove(
    world: World,
    database: Database,
    nodes: list[Node],
    who: Person,
    work: Callable[[Session], Any],
    back: Callable[[Session], Any] | None = None,
) -> Removed:
    """Remove a person on some node, as an action does, and perhaps add them again with a new channel."""
    await asyncio.sleep(world.random.uniform(1, 10))
    node = world.random.choice(nodes)
    database.run(work)
    at = world.loop.time()
    if back is not None:
        node.pubsub.evict(node.topic, connections_of_user(who.user_id))
        await asyncio.sleep(world.random.uniform(1, 8))
        database.run(back)
        new = Client(world.random.choice(nodes), who)
        new.node.clients.append(new)
        return Removed(who, at, new.opened_at)
    node.pubsub.disconnect(connections_of_device(who.device_id))
    return Removed(who, at, float("inf"))


def too_late(node: Node, removal: Removed) -> Iterator[tuple[str, float]]:
    """Yield the frames that reached a removed person after the promised time."""
    promised = removal.at + PROMISED_SECONDS
    if not node.database.is_well(removal.at - LEASE_SECONDS, promised):
        promised = removal.at + LEASE_SECONDS
    for client in node.clients:
        if client.who is removal.who:
            yield from (
                (client.who.username, t - removal.at) for t in client.received if promised < t < removal.back_at
            )


def is_right(client: Client, removed: Sequence[Removed]) -> bool:
    """Whether a client is open exactly if its user has access. One from before a return may be closed or not."""
    removal = next((each for each in removed if each.who is client.who), None)
    if removal is None or client.opened_at >= removal.back_at:
        return client.is_open
    return not client.is_open or removal.back_at < float("inf")


@pytest.fixture
def outcome_of(migrated_sqlite: Path, tmp_path: Path) -> Callable[[int], Outcome]:
    def outcome(seed: int) -> Outcome:
        file = tmp_path / f"{seed}.db"
        shutil.copy(migrated_sqlite, file)
        database = Database(f"sqlite:///{file}")
        home = database.run(people.household)
        try:
            return run(seed, lambda world: removals_in(world, database, home))
        finally:
            database.close()

    return outcome


def test_access_ends_within_a_second_and_within_five_if_the_database_of_a_node_is_away(
    outcome_of: Callable[[int], Outcome],
) -> None:
    outcomes = {seed: outcome_of(seed) for seed in SEEDS}

    assert {seed: outcome.late for seed, outcome in outcomes.items() if outcome.late} == {}
    assert {seed: outcome.wrong for seed, outcome in outcomes.items() if outcome.wrong} == {}
    assert min(outcome.delivered for outcome in outcomes.values()) > 500, "too little was delivered"


def test_the_same_seed_removes_in_the_same_way(outcome_of: Callable[[int], Outcome]) -> None:
    assert outcome_of(3) == outcome_of(3) != outcome_of(4)


def only_by_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(_reader: RemovedAccessReader) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(RemovedAccessReader, "run", never)
    monkeypatch.setattr(Lease, "valid", property(lambda _: True))


def without_a_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Lease, "valid", property(lambda _: True))


def lease_from_the_end_of_the_read(monkeypatch: pytest.MonkeyPatch) -> None:
    def renew(lease: Lease, _since: float) -> None:
        lease._renewed_at = lease.now()

    monkeypatch.setattr(Lease, "renew", renew)


def evict_who_is_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(removed_access, "_members", lambda *_: iter(()))


@pytest.mark.parametrize(
    "fault",
    [only_by_broker, without_a_lease, lease_from_the_end_of_the_read, evict_who_is_back],
    ids=lambda f: f.__name__,
)
def test_a_planted_fault_is_found(
    outcome_of: Callable[[int], Outcome],
    monkeypatch: pytest.MonkeyPatch,
    fault: Callable[[pytest.MonkeyPatch], None],
) -> None:
    fault(monkeypatch)

    assert any(outcome.late or outcome.wrong for outcome in map(outcome_of, range(40)))
