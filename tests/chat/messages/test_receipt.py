"""Receipts as members see them, and the constraint on their positions."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from famichat.accounts.device import add_device
from famichat.chat.access import conversation_for
from famichat.chat.groups.membership import remove_from_group
from famichat.chat.messages.receipt import positions
from famichat.chat.messages.schema import ReceiptView
from famichat.storage.database import Database
from tests.factories.people import Household, Person
from tests.factories.talk import acknowledged, direct_of, group_of, say


@pytest.fixture
def direct_id(database: Database, household: Household) -> str:
    def fill(session: Session) -> str:
        conversation_id = direct_of(session, household)
        say(session, conversation_id, household.emil, *"abcdefghij")
        return conversation_id

    return database.run(fill)


def places(session: Session, who: Person, conversation_id: str) -> list[ReceiptView]:
    return positions(session, conversation_for(session, who.user_id, conversation_id))


def test_each_device_has_its_own_place_and_says_what_kind_of_device_it_is(
    database: Database, household: Household, direct_id: str
) -> None:
    maja = household.maja
    tablet = database.run(lambda session: add_device(session, maja.user_id, "Maja's", "tablet")).id
    database.run(lambda session: acknowledged(session, direct_id, maja, 9))
    database.run(lambda session: acknowledged(session, direct_id, maja, 4, "delivered", tablet))

    found = {each["device_id"]: each for each in database.run_read(lambda s: places(s, household.maja, direct_id))}
    assert found == {
        maja.device_id: {
            "user_id": maja.user_id,
            "device_id": maja.device_id,
            "device_kind": None,
            "delivered_seq": 9,
            "read_seq": 9,
        },
        tablet: {
            "user_id": maja.user_id,
            "device_id": tablet,
            "device_kind": "tablet",
            "delivered_seq": 4,
            "read_seq": 0,
        },
    }


def test_the_database_refuses_a_read_position_beyond_the_delivered_one(
    database: Database, household: Household, direct_id: str
) -> None:
    database.run(lambda session: acknowledged(session, direct_id, household.maja, 3, "delivered"))

    with pytest.raises(DBAPIError):
        database.run(lambda session: session.execute(text("UPDATE message_receipts SET read_seq = 4")))


def test_the_receipts_of_former_members_are_not_shown(database: Database, household: Household) -> None:
    maja, emil = household.maja, household.emil
    group_id = database.run(lambda session: group_of(session, household))
    database.run(lambda session: say(session, group_id, maja, "hello"))
    for who in (maja, emil):
        database.run(lambda session, who=who: acknowledged(session, group_id, who, 1))  # type: ignore[misc]  # mypy cannot infer a lambda's default

    database.run(lambda session: remove_from_group(session, maja.user_id, group_id, emil.user_id))

    found = database.run_read(lambda session: places(session, maja, group_id))
    assert [each["user_id"] for each in found] == [maja.user_id]
