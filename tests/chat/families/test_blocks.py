from functools import partial

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from famichat.chat.account_deletion import delete_account
from famichat.chat.errors import NotFound, OwnAccount
from famichat.chat.families.blocks import block, blocked_by, unblock
from famichat.chat.families.membership import remove_member
from famichat.chat.records.contact import Block
from famichat.storage.base import new_id
from famichat.storage.database import Database
from tests.factories.people import Household
from tests.factories.talk import direct_of, group_of


def blocked(session: Session, user_id: str) -> list[str]:
    return [each.blocked_id for each in blocked_by(session, user_id)]


def test_a_block_belongs_to_the_user_who_made_it(database: Database, household: Household) -> None:
    maja, emil = household.maja.user_id, household.emil.user_id

    for _ in range(2):
        database.run(lambda session: block(session, maja, emil))

    assert database.run_read(lambda session: (blocked(session, maja), blocked(session, emil))) == ([emil], [])
    database.run(lambda session: unblock(session, emil, maja))
    assert database.run_read(lambda session: blocked(session, maja)) == [emil]
    database.run(lambda session: unblock(session, maja, emil))
    assert database.run_read(lambda session: blocked(session, maja)) == []


def test_blocking_returns_the_conversations_that_the_two_share(database: Database, household: Household) -> None:
    direct = database.run(lambda session: direct_of(session, household))
    group = database.run(lambda session: group_of(session, household))

    shared = database.run(lambda session: block(session, household.maja.user_id, household.emil.user_id))

    assert {each.id for each in shared} == {direct, group}


@pytest.mark.parametrize("who", ["a stranger", "unknown", "malformed"])
def test_only_people_whom_the_user_knows_can_be_blocked(database: Database, household: Household, who: str) -> None:
    other = {"a stranger": household.ada.user_id, "unknown": new_id(), "malformed": "x"}[who]

    for change in (block, unblock):
        with pytest.raises(NotFound):
            database.run(partial(change, user_id=household.maja.user_id, blocked_id=other))


def test_a_user_who_has_left_the_family_can_be_blocked_because_of_the_direct_conversation(
    database: Database, household: Household
) -> None:
    maja, emil = household.maja.user_id, household.emil.user_id
    database.run(lambda session: direct_of(session, household))
    database.run(lambda session: remove_member(session, maja, household.family_id, emil))

    database.run(lambda session: block(session, emil, maja))

    assert database.run_read(lambda session: blocked(session, emil)) == [maja]


def test_users_cannot_block_themselves(database: Database, household: Household) -> None:
    with pytest.raises(OwnAccount):
        database.run(lambda session: block(session, household.maja.user_id, household.maja.user_id))


def test_a_deleted_account_leaves_no_blocks(database: Database, household: Household) -> None:
    emil, inga, nils = household.emil.user_id, household.inga.user_id, household.nils.user_id
    database.run(lambda session: (block(session, emil, inga), block(session, nils, emil)))

    database.run(lambda session: delete_account(session, emil))

    assert database.run_read(lambda session: session.execute(select(Block)).all()) == []
