import pytest
from sqlalchemy.orm import Session

from famichat.chat.access import conversation_for
from famichat.chat.contact import contacts
from famichat.chat.conversations.create import CreatedConversation, create_direct_conversation
from famichat.chat.conversations.leave import leave_direct
from famichat.chat.errors import NotFound
from famichat.chat.records.participant import participants
from famichat.storage.database import Database
from tests.factories.people import INDEX, Household
from tests.factories.talk import direct_of, group_of, say


def test_a_user_who_left_a_direct_conversation_returns_by_opening_it_again(
    database: Database, household: Household
) -> None:
    maja, emil = household.maja, household.emil
    direct = database.run(lambda session: direct_of(session, household))
    database.run(lambda session: say(session, direct, maja, "hello"))

    def open_again(session: Session, first: str, second: str) -> CreatedConversation:
        return create_direct_conversation(session, first, second, blind_index=INDEX)

    assert database.run(lambda session: leave_direct(session, emil.user_id, direct))

    with pytest.raises(NotFound):
        database.run_read(lambda session: conversation_for(session, emil.user_id, direct))
    reopened = database.run(lambda session: open_again(session, maja.user_id, emil.user_id))
    assert (reopened.conversation.id, reopened.created, reopened.rejoined) == (direct, False, False)
    assert database.run_read(lambda session: participants(session, direct)) == [maja.user_id]
    access = database.run_read(lambda session: conversation_for(session, maja.user_id, direct))
    assert database.run_read(lambda session: contacts(session, [access])) == {(direct, maja.user_id): "ended"}

    again = database.run(lambda session: open_again(session, emil.user_id, maja.user_id))

    assert (again.conversation.id, again.created, again.rejoined) == (direct, False, True)
    assert database.run_read(lambda session: contacts(session, [access])) == {(direct, maja.user_id): "open"}
    assert database.run_read(lambda session: conversation_for(session, emil.user_id, direct).can_see(1))


def test_other_types_are_left_in_their_own_way(database: Database, household: Household) -> None:
    group = database.run(lambda session: group_of(session, household))

    assert not database.run(lambda session: leave_direct(session, household.emil.user_id, group))
    assert len(database.run_read(lambda session: participants(session, group))) == 3
