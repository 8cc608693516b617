"""A node reads what other nodes announce to the users that are connected to it."""

import asyncio
from functools import partial
from typing import Any

import pytest
from sqlalchemy.orm import Session

from famichat.actions.events.payloads import reset_agreement_view
from famichat.actions.events.recent_removals import RecentRemovals
from famichat.actions.events.user_news import (
    NOTIFICATION,
    PERSON_UPDATED,
    RESET_AGREEMENT_UPDATED,
    RESET_LINK_CREATED,
    UserChange,
    UserNews,
)
from famichat.chat.conversations.create import create_group_conversation
from famichat.chat.families.reset_agreement import pending_reset_of
from famichat.chat.records.reset_agreement import ResetAgreement
from famichat.push.subscription import Subscription, subscribe
from famichat.realtime.pubsub import PubSub
from famichat.storage.database import Database
from tests.factories.people import INDEX, VAULT, Household
from tests.factories.talk import GROUND, group_of, say
from tests.push.test_notification import AUTH, P256DH
from tests.realtime.test_pubsub import Listener, Wire
from tests.support.running import running
from tests.support.statements import count_statements


class Emil:
    """Emil's client on one node, and what another node announces to users."""

    def __init__(self, database: Database, home: Household) -> None:
        wire = Wire()
        here, self._there = PubSub(wire.node()), PubSub(wire.node())
        self.removals, self.client, self.id = RecentRemovals(), Listener(), home.emil.user_id
        here.subscribe(f"user:{self.id}", self.client)
        self.news = UserNews(database, VAULT, GROUND.policies, here, self.removals)

    def announce(self, *changes: UserChange) -> None:
        for change in changes:
            self._there.publish(*change.announcement)

    async def receives(self) -> tuple[str, Any]:
        async with asyncio.timeout(10), running(self.news):
            while not self.client.received:  # noqa: ASYNC110 - delivery has no event
                await asyncio.sleep(0.005)
        (broadcast,) = self.client.received
        return broadcast.event, broadcast.payload


@pytest.fixture
def emil(database: Database, household: Household) -> Emil:
    return Emil(database, household)


async def test_a_changed_profile_is_read_once_for_several_announcements(emil: Emil, household: Household) -> None:
    change = UserChange(emil.id, PERSON_UPDATED, household.maja.user_id)
    emil.announce(change, change, UserChange(household.inga.user_id, PERSON_UPDATED, household.maja.user_id))

    event, payload = await emil.receives()
    assert (event, payload["person"]["username"]) == (PERSON_UPDATED, household.maja.username)


@pytest.mark.parametrize("by_operator", [False, True])
async def test_a_reset_link_names_its_creator(emil: Emil, household: Household, by_operator: bool) -> None:  # noqa: FBT001 - a parameter of the test
    creator_id, name = (None, None) if by_operator else (household.maja.user_id, household.maja.username)
    emil.announce(UserChange(emil.id, RESET_LINK_CREATED, creator_id, "2030-01-01T00:00:00Z"))

    assert await emil.receives() == (RESET_LINK_CREATED, {"by_name": name, "expires_at": "2030-01-01T00:00:00Z"})


@pytest.mark.parametrize("elsewhere", [False, True])
async def test_a_reset_agreement_is_told_as_it_is_now(
    database: Database,
    emil: Emil,
    household: Household,
    elsewhere: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    inga, family_id = household.inga.user_id, household.family_id
    agreement = ResetAgreement(user_id=inga, family_id=family_id, asked_by_id=household.maja.user_id)
    database.run(lambda session: session.add(agreement))
    told = household.other_family_id if elsewhere else family_id
    emil.announce(UserChange(emil.id, RESET_AGREEMENT_UPDATED, inga, told))

    event, payload = await emil.receives()
    found = database.run_read(lambda session: pending_reset_of(session, inga))
    assert found is not None
    expected = None if elsewhere else reset_agreement_view(found)
    assert (event, payload) == (
        RESET_AGREEMENT_UPDATED,
        {"family_id": told, "user_id": inga, "agreement": expected},
    )


async def test_a_conversation_is_told_to_its_members_as_they_see_it(
    database: Database, emil: Emil, household: Household
) -> None:
    maja, inga = household.maja.user_id, household.inga.user_id
    groups = [
        database.run(
            partial(create_group_conversation, creator_id=maja, name="Trip", initial_member_ids=ids)
        ).conversation.id
        for ids in ([inga, household.nils.user_id], [emil.id, inga])
    ]
    emil.removals.add(emil.id, groups[1])  # a member again since
    emil.announce(*[UserChange(emil.id, "conversation_updated", each) for each in groups])

    event, payload = await emil.receives()
    assert (event, payload["conversation"]["id"]) == ("conversation_updated", groups[1])
    assert (emil.id, groups[1]) not in emil.removals


async def test_what_is_the_same_for_several_recipients_is_read_once(
    database: Database, emil: Emil, household: Household
) -> None:
    maja, inga = household.maja.user_id, household.inga

    def talk(session: Session) -> str:
        group = group_of(session, household)
        for number, person in enumerate((household.emil, inga)):
            browser = Subscription.parse(f"https://push.example.org/{number}", P256DH, AUTH)
            subscribe(session, person.device_id, browser, VAULT, INDEX)
        return say(session, group, household.maja, "hello")[0]

    message_id = database.run(talk)
    of_emil = [
        UserChange(emil.id, PERSON_UPDATED, maja),
        UserChange(emil.id, NOTIFICATION, message_id, household.emil.device_id),
    ]
    of_inga = [
        UserChange(inga.user_id, PERSON_UPDATED, maja),
        UserChange(inga.user_id, NOTIFICATION, message_id, inga.device_id),
    ]
    events = database.run_read(partial(emil.news._events, [*of_emil, *of_inga]))

    assert [each.change for each in events] == [*of_emil, *of_inga]
    assert events[1].payload["message_id"] == events[3].payload["message_id"] == message_id
    counts = [
        count_statements(database, partial(emil.news._events, changes)) for changes in (of_emil, [*of_emil, *of_inga])
    ]
    assert counts[0] == counts[1]
