"""A node applies each removal once, and delivers nothing while it cannot read them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy.orm import Session

from famichat.accounts.device import revoke_device
from famichat.actions.events import removed_access
from famichat.actions.events.recent_removals import RecentRemovals
from famichat.actions.events.removed_access import LEASE_SECONDS, RemovedAccessReader
from famichat.actions.events.topics import user_ids
from famichat.chat.account_deletion import delete_account
from famichat.chat.conversations.create import create_group_conversation
from famichat.chat.groups.membership import add_to_group, remove_from_group
from famichat.realtime.lease import Lease
from famichat.realtime.pubsub import PubSub
from famichat.storage.database import Database
from famichat.storage.errors import StorageUnavailable
from tests.factories.people import Household, Person
from tests.realtime.test_lease import Seconds
from tests.realtime.test_pubsub import Listener


@dataclass(frozen=True, slots=True)
class Node:
    """A node whose reads the test triggers; its database can be made to fail."""

    database: Database
    pubsub: PubSub
    recent: RecentRemovals
    clock: Seconds
    reader: RemovedAccessReader
    recoveries: list[None]
    group: str

    def listens(self, who: Person) -> Listener:
        listener = Listener(*user_ids(who.user_id, who.device_id))
        self.pubsub.subscribe(f"message:group:{self.group}", listener)
        self.pubsub.connected(listener)
        return listener


@pytest.fixture
async def node(database: Database, household: Household) -> Node:
    def create(session: Session) -> str:
        others = [household.emil.user_id, household.inga.user_id]
        return create_group_conversation(session, household.maja.user_id, "Holiday", others).conversation.id

    clock, recoveries, recent = Seconds(), list[None](), RecentRemovals()
    lease = Lease(LEASE_SECONDS, clock)
    pubsub = PubSub(lease=lease)
    reader = RemovedAccessReader(database, pubsub, recent, lease, lambda: recoveries.append(None))
    group = database.run(create)
    await reader.start()
    return Node(database, pubsub, recent, clock, reader, recoveries, group)


async def test_a_removal_closes_what_lost_access_and_nothing_else(node: Node, household: Household) -> None:
    emil, inga, nils = (node.listens(who) for who in (household.emil, household.inga, household.nils))
    steps: list[Callable[[Session], Any]] = [
        lambda s: remove_from_group(s, household.maja.user_id, node.group, household.emil.user_id),
        lambda s: revoke_device(s, household.inga.user_id, household.inga.device_id),
        lambda s: delete_account(s, household.nils.user_id),
    ]
    states = []
    for step in steps:
        node.database.run(step)
        await node.reader.read()
        states.append([(each.evicted, each.disconnected) for each in (emil, inga, nils)])

    out, closed, untouched = (True, False), (False, True), (False, False)
    assert states == [[out, untouched, untouched], [out, closed, untouched], [out, closed, closed]]
    assert (household.emil.user_id, node.group) in node.recent


async def test_a_member_who_was_added_again_keeps_the_new_channel(node: Node, household: Household) -> None:
    maja, emil = household.maja.user_id, household.emil.user_id
    node.database.run(lambda session: remove_from_group(session, maja, node.group, emil))
    node.database.run(lambda session: add_to_group(session, maja, node.group, emil))
    listener = node.listens(household.emil)
    await node.reader.read()

    assert not listener.evicted
    assert (emil, node.group) not in node.recent


async def test_more_removals_than_one_query_reads_are_applied_except_to_members_again(
    node: Node, household: Household, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(removed_access, "_PAIRS_PER_QUERY", 1)
    maja, emil, inga = household.maja.user_id, household.emil.user_id, household.inga.user_id
    node.database.run(lambda session: remove_from_group(session, maja, node.group, inga))
    node.database.run(lambda session: remove_from_group(session, maja, node.group, emil))
    node.database.run(lambda session: add_to_group(session, maja, node.group, emil))
    listeners = [node.listens(who) for who in (household.emil, household.inga)]
    await node.reader.read()

    assert [listener.evicted for listener in listeners] == [False, True]


async def test_a_node_that_cannot_read_holds_broadcasts_until_it_has_applied_the_removals(
    node: Node, household: Household, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic, maja, emil = f"message:group:{node.group}", node.listens(household.maja), node.listens(household.emil)

    async def fails(_work: object) -> None:
        raise StorageUnavailable("read")

    with monkeypatch.context() as away:
        away.setattr(node.database, "read_undelayed", fails)
        node.clock.now += LEASE_SECONDS
        with pytest.raises(StorageUnavailable):
            await node.reader.read()
        node.database.run(lambda s: remove_from_group(s, household.maja.user_id, node.group, household.emil.user_id))
        node.pubsub.broadcast(topic, "new_msg", {"seq": 1})
        assert (node.pubsub.delivering, maja.received) == (False, [])
    assert node.recoveries == []
    await node.reader.read()

    assert (node.pubsub.delivering, emil.evicted) == (True, True)
    assert [each.payload for each in maja.received] == [{"seq": 1}]
    assert node.recoveries == [None]


async def test_reading_in_time_is_no_recovery(node: Node) -> None:
    node.clock.now += LEASE_SECONDS - 1
    await node.reader.read()
    node.clock.now += LEASE_SECONDS - 1
    await node.reader.read()

    assert node.pubsub.delivering
    assert node.recoveries == []
