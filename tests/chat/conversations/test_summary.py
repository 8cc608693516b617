"""The unread count: computed from positions, within the range that the member may see."""

import pytest
from sqlalchemy.orm import Session

from famichat.accounts.device import add_device
from famichat.chat.access import conversation_for, everyones_access
from famichat.chat.conversations.create import create_group_conversation
from famichat.chat.conversations.summary import unread_counts
from famichat.chat.groups.membership import add_to_group, remove_from_group
from famichat.chat.records.conversation import History
from famichat.storage.database import Database
from tests.factories.people import Household, Person
from tests.factories.talk import acknowledged, direct_of, say


def unread(database: Database, who: Person, conversation_id: str) -> int:
    def look(session: Session) -> int:
        access = conversation_for(session, who.user_id, conversation_id)
        return unread_counts(session, [(access.conversation.id, access.user_id)])[conversation_id, who.user_id]

    return database.run_read(look)


def test_ones_own_messages_are_never_unread(database: Database, household: Household) -> None:
    direct = database.run(lambda session: direct_of(session, household))
    for who in (household.emil, household.maja, household.emil):
        database.run(lambda session, who=who: say(session, direct, who, "a", "b"))  # type: ignore[misc]  # mypy cannot infer a lambda's default

    assert (unread(database, household.maja, direct), unread(database, household.emil, direct)) == (4, 2)


def test_the_furthest_of_ones_devices_counts(database: Database, household: Household) -> None:
    maja = household.maja

    def fill(session: Session) -> str:
        direct = direct_of(session, household)
        say(session, direct, household.emil, *"abcde")
        tablet = add_device(session, maja.user_id, "tablet").id
        acknowledged(session, direct, maja, 2)
        acknowledged(session, direct, maja, 4, device_id=tablet)
        acknowledged(session, direct, maja, 5, "delivered")
        return direct

    assert unread(database, maja, database.run(fill)) == 1


@pytest.mark.parametrize(("history", "after_return"), [("joined", 0), ("all", 3)])
def test_only_visible_messages_are_unread_for_a_returning_member(
    database: Database, household: Household, history: History, after_return: int
) -> None:
    maja, emil, inga = household.maja, household.emil, household.inga

    def leave_and_return(session: Session) -> str:
        made = create_group_conversation(session, maja.user_id, "Fika", [emil.user_id, inga.user_id], history=history)
        group = made.conversation.id
        say(session, group, maja, "1", "2")
        acknowledged(session, group, emil, 2)
        remove_from_group(session, emil.user_id, group, emil.user_id)
        say(session, group, maja, "3", "4", "5")
        add_to_group(session, maja.user_id, group, emil.user_id)
        return group

    group = database.run(leave_and_return)
    before = unread(database, emil, group)
    database.run(lambda session: say(session, group, maja, "6"))

    assert (before, unread(database, emil, group)) == (after_return, after_return + 1)


def test_a_newcomer_has_missed_nothing(database: Database, household: Household) -> None:
    def fill(session: Session) -> str:
        people = [household.emil.user_id, household.inga.user_id]
        group = create_group_conversation(session, household.maja.user_id, "Fika", people).conversation.id
        say(session, group, household.maja, "1", "2")
        add_to_group(session, household.maja.user_id, group, household.nils.user_id)
        say(session, group, household.emil, "3")
        return group

    group = database.run(fill)
    everyone = database.run_read(
        lambda session: unread_counts(session, [(group, each.user_id) for each in everyones_access(session, group)])
    )

    assert {user_id: count for (_, user_id), count in everyone.items()} == {
        household.maja.user_id: 1,
        household.emil.user_id: 2,
        household.inga.user_id: 3,
        household.nils.user_id: 1,
    }
