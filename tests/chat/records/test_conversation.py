"""Admins rename conversations of the types that have a name; nothing else changes."""

import pytest
from sqlalchemy.orm import Session

from famichat.chat.access import conversation_for
from famichat.chat.conversations.create import create_family_conversation, create_self_conversation
from famichat.chat.conversations.rename import checked_name, rename
from famichat.chat.errors import InvalidName, NotAdmin, NotGroupConversation
from famichat.chat.records.conversation import Conversation
from famichat.storage.database import Database
from tests.factories.people import Household, Person
from tests.factories.talk import direct_of, group_of


@pytest.fixture
def talks(database: Database, household: Household) -> dict[str, str]:
    def fill(session: Session) -> dict[str, str]:
        return {
            "self": create_self_conversation(session, household.maja.user_id).conversation.id,
            "direct": direct_of(session, household),
            "group": group_of(session, household),
            "family": create_family_conversation(session, household.emil.user_id).conversation.id,
        }

    return database.run(fill)


def call_it(session: Session, who: Person, conversation_id: str, name: str) -> None:
    access = conversation_for(session, who.user_id, conversation_id)
    rename(session, access.conversation, name, role=access.role)


@pytest.mark.parametrize("kind", ["group", "family"])
def test_an_admin_renames_it_and_changes_nothing_else(
    database: Database, household: Household, talks: dict[str, str], kind: str
) -> None:
    before = database.run_read(lambda session: session.get_one(Conversation, talks[kind]))
    database.run(lambda session: call_it(session, household.maja, talks[kind], "  Sommarstugan "))
    after = database.run_read(lambda session: session.get_one(Conversation, talks[kind]))
    changed = {"name", "updated_at", "checksum"}
    kept = [column.key for column in Conversation.__table__.columns if column.key not in changed]

    assert (after.name, after.is_intact) == ("Sommarstugan", True)
    assert [getattr(after, key) for key in kept] == [getattr(before, key) for key in kept]


@pytest.mark.parametrize("kind", ["group", "family"])
def test_a_member_does_not_rename_it(
    database: Database, household: Household, talks: dict[str, str], kind: str
) -> None:
    # Emil created the family conversation, which does not make him an admin of the family.
    with pytest.raises(NotAdmin):
        database.run(lambda session: call_it(session, household.emil, talks[kind], "Mitt"))


@pytest.mark.parametrize("kind", ["self", "direct"])
def test_only_a_group_can_be_renamed(
    database: Database, household: Household, talks: dict[str, str], kind: str
) -> None:
    with pytest.raises(NotGroupConversation):
        database.run(lambda session: call_it(session, household.maja, talks[kind], "Hemligt"))


def test_a_bad_name_changes_nothing(database: Database, household: Household, talks: dict[str, str]) -> None:
    with pytest.raises(InvalidName):
        database.run(lambda session: call_it(session, household.maja, talks["group"], "\u202e"))

    assert database.run_read(lambda session: session.get_one(Conversation, talks["group"]).name) == "Fika"


def test_a_name_is_kept_composed() -> None:
    assert checked_name("A\u030akes fika") == "Åkes fika"
    assert checked_name("x" * 100) == "x" * 100
