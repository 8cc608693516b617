"""Story 7.9.5: the account id identifies a user in `accounts` and in the families of `chat`."""

from famichat.accounts.user import Newcomer, find_user, register
from famichat.chat.conversations.create import create_family_conversation
from famichat.chat.families.family import families_of, members_of
from famichat.chat.families.membership import add_member, remove_member
from famichat.chat.records.participant import Participant
from famichat.storage.database import Database
from tests.factories.people import INDEX, PASSWORD_HASH, VAULT, Household


def test_a_new_account_that_joins_a_family_finds_it_and_is_found_in_it(
    database: Database, household: Household
) -> None:
    newcomer = Newcomer.parse("Olle", "olle@example.org")
    olle = database.run(lambda session: register(session, newcomer, PASSWORD_HASH, VAULT, INDEX)).id
    assert database.run_read(lambda session: families_of(session, olle)) == []

    database.run(lambda session: add_member(session, household.family_id, olle, "member"))

    [family] = database.run_read(lambda session: families_of(session, olle))
    assert (family.family_id, family.name, family.role) == (household.family_id, "Sundqvist", "member")
    members = database.run_read(lambda session: members_of(session, family.family_id))
    assert [each.username for each in members] == ["maja", "emil", "inga", "nils", "Olle"]
    found = database.run_read(lambda session: find_user(session, "olle@example.org", INDEX))
    assert found is not None
    assert found.id == members[-1].user_id


def test_the_familys_conversation_follows_its_people(database: Database, household: Household) -> None:
    ada, maja, family_id = household.ada.user_id, household.maja.user_id, household.family_id
    talk = database.run(lambda session: create_family_conversation(session, maja, family_id)).conversation.id

    database.run(lambda session: add_member(session, family_id, ada, "member"))
    assert database.run_read(lambda session: session.get(Participant, (talk, ada))) is not None

    database.run(lambda session: remove_member(session, maja, family_id, ada))
    assert database.run_read(lambda session: session.get(Participant, (talk, ada))) is None
