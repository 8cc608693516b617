"""Receipts only advance, never beyond the last message, also with concurrent acknowledgements."""

import asyncio
from functools import partial

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from famichat.accounts.device import add_device
from famichat.chat.access import conversation_for
from famichat.chat.errors import InvalidMessage
from famichat.chat.groups.membership import remove_from_group
from famichat.chat.messages.receipt import Acknowledged, Position, Status, acknowledge, positions
from famichat.chat.messages.schema import ReceiptView
from famichat.storage.database import Database
from tests.factories.people import Household, Person
from tests.factories.talk import direct_of, group_of, say

SAID = 20
statuses = st.sampled_from(["delivered", "read"])


@pytest.fixture
def direct_id(database: Database, household: Household) -> str:
    def fill(session: Session) -> str:
        conversation_id = direct_of(session, household)
        say(session, conversation_id, household.emil, *"abcdefghijklmnopqrst")
        return conversation_id

    return database.run(fill)


def ack(session: Session, who: Person, conversation_id: str, seq: int, status: Status) -> Acknowledged:
    return acknowledge(session, conversation_for(session, who.user_id, conversation_id), who.device_id, seq, status)


def places(session: Session, who: Person, conversation_id: str) -> list[ReceiptView]:
    return positions(session, conversation_for(session, who.user_id, conversation_id))


def test_reading_implies_receiving(database: Database, household: Household, direct_id: str) -> None:
    maja = household.maja
    answer = database.run(lambda session: ack(session, maja, direct_id, 3, "read"))

    assert answer == Acknowledged(Position(maja.user_id, maja.device_id, 3, 3), moved=True)


def test_receiving_does_not_imply_reading(database: Database, household: Household, direct_id: str) -> None:
    database.run(lambda session: ack(session, household.maja, direct_id, 3, "read"))
    answer = database.run(lambda session: ack(session, household.maja, direct_id, 7, "delivered"))

    assert (answer.position.delivered_seq, answer.position.read_seq, answer.moved) == (7, 3, True)


@pytest.mark.parametrize("seq", [0, -1, SAID + 1, 2**62])
def test_there_is_nothing_to_acknowledge_outside(
    database: Database, household: Household, direct_id: str, seq: int
) -> None:
    with pytest.raises(InvalidMessage) as refusal:
        database.run(lambda session: ack(session, household.maja, direct_id, seq, "read"))

    assert refusal.value.details == {"field": "seq"}


def test_each_device_has_its_own_place_and_says_what_kind_of_device_it_is(
    database: Database, household: Household, direct_id: str
) -> None:
    maja = household.maja
    tablet = database.run(lambda session: add_device(session, maja.user_id, "Maja's", "tablet")).id
    database.run(lambda session: ack(session, maja, direct_id, 9, "read"))
    database.run(lambda session: ack(session, Person(maja.user_id, tablet, "maja"), direct_id, 4, "delivered"))

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


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(acks=st.lists(st.tuples(st.integers(1, SAID), statuses), min_size=1, max_size=12))
def test_a_device_only_moves_forward(
    database: Database, household: Household, direct_id: str, acks: list[tuple[int, Status]]
) -> None:
    database.run(lambda session: session.execute(text("DELETE FROM message_receipts")))
    delivered, read = 0, 0
    for seq, status in acks:
        before = (delivered, read)
        delivered, read = max(delivered, seq), max(read, seq if status == "read" else 0)
        answer = database.run(
            lambda session, seq=seq, status=status: ack(session, household.maja, direct_id, seq, status)  # type: ignore[misc]  # mypy cannot infer a lambda's defaults
        )

        assert (answer.position.delivered_seq, answer.position.read_seq) == (delivered, read)
        assert answer.moved == ((delivered, read) != before)


async def test_acknowledgements_at_once_end_at_the_furthest(
    database: Database, household: Household, direct_id: str
) -> None:
    kinds: list[Status] = ["delivered", "read"]
    answers = await asyncio.gather(
        *(
            database.transaction(
                lambda session, n=n: ack(session, household.maja, direct_id, 1 + n % SAID, kinds[n // SAID])  # type: ignore[misc]  # mypy cannot infer a lambda's default
            )
            for n in range(2 * SAID)
        )
    )
    [position] = database.run_read(lambda session: places(session, household.maja, direct_id))

    assert (position["delivered_seq"], position["read_seq"]) == (SAID, SAID)
    assert any(answer.moved for answer in answers)


def test_the_database_refuses_a_read_position_beyond_the_delivered_one(
    database: Database, household: Household, direct_id: str
) -> None:
    database.run(lambda session: ack(session, household.maja, direct_id, 3, "delivered"))

    with pytest.raises(DBAPIError):
        database.run(lambda session: session.execute(text("UPDATE message_receipts SET read_seq = 4")))


def test_the_receipts_of_former_members_are_not_shown(database: Database, household: Household) -> None:
    maja, emil = household.maja, household.emil
    group_id = database.run(lambda session: group_of(session, household))
    database.run(lambda session: say(session, group_id, maja, "hello"))
    for who in (maja, emil):
        database.run(partial(ack, who=who, conversation_id=group_id, seq=1, status="read"))

    database.run(lambda session: remove_from_group(session, maja.user_id, group_id, emil.user_id))

    found = database.run_read(lambda session: places(session, maja, group_id))
    assert [each["user_id"] for each in found] == [maja.user_id]
