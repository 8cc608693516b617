"""Acknowledgements in line: understood strictly, written together, refused alone."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy.orm import Session

from famichat.chat.errors import InvalidMessage, NotFound
from famichat.chat.receipt import positions
from famichat.chat.receipts import Acknowledgement, Receipts, Written, parse_status
from famichat.storage.base import new_id
from famichat.storage.database import Database
from tests.factories.people import Household, Person
from tests.factories.talk import direct_of, say

SAID = 5


@pytest.fixture
async def receipts(database: Database) -> AsyncIterator[Receipts]:
    opened = Receipts(database)
    yield opened
    await opened.close()


@pytest.fixture
def said(database: Database, household: Household) -> tuple[str, list[str]]:
    """The conversation of Maja and Emil, and the ids of what Emil said there."""

    def fill(session: Session) -> tuple[str, list[str]]:
        conversation_id = direct_of(session, household)
        return conversation_id, say(session, conversation_id, household.emil, *"abcde")

    return database.run(fill)


def ack(who: Person, conversation_id: str, seq: int | None, message_id: str | None = None) -> Acknowledgement:
    return Acknowledgement(who.user_id, who.device_id, "direct", conversation_id, seq, message_id, "read")


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ({"seq": 3, "status": "read"}, (3, None, "read")),
        ({"seq": 3}, (3, None, "delivered")),
        ({"message_id": "m"}, (None, "m", "delivered")),
        ({"message_id": "m", "status": "read", "more": 1}, (None, "m", "read")),
    ],
)
def test_an_acknowledgement_is_understood(payload: dict[str, Any], expected: tuple[Any, ...]) -> None:
    assert parse_status(payload) == expected


@pytest.mark.parametrize(
    ("payload", "field"),
    [
        ({}, "seq"),
        ({"seq": 1, "message_id": "m"}, "seq"),
        ({"seq": "1"}, "seq"),
        ({"seq": True}, "seq"),
        ({"seq": 2**60}, "seq"),
        ({"message_id": 1}, "message_id"),
        ({"seq": 1, "status": "seen"}, "status"),
        ({"seq": 1, "status": None}, "status"),
        ({"seq": 1, "status": []}, "status"),
        ({"seq": 1, "status": {}}, "status"),
    ],
)
def test_a_malformed_acknowledgement_is_refused(payload: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidMessage) as refusal:
        parse_status(payload)

    assert refusal.value.details == {"field": field}


async def test_one_that_is_refused_does_not_refuse_its_neighbours(
    database: Database, household: Household, said: tuple[str, list[str]], receipts: Receipts
) -> None:
    conversation_id, ids = said
    told: list[Written] = []
    maja, emil, ada = household.maja, household.emil, household.ada
    asked = [
        ack(maja, conversation_id, 2),
        ack(ada, conversation_id, 1),
        ack(maja, conversation_id, SAID + 1),
        ack(maja, conversation_id, None, new_id()),
        ack(emil, conversation_id, None, ids[3]),
        ack(maja, conversation_id, 1),
    ]
    answers = await asyncio.gather(*(receipts.acknowledge(each, told.append) for each in asked), return_exceptions=True)
    places = database.run_read(lambda session: positions(session, conversation_id))

    assert [answer if isinstance(answer, Written) else type(answer) for answer in answers] == [
        Written(asked[0], 2, moved=True),
        NotFound,
        InvalidMessage,
        NotFound,
        Written(asked[4], 4, moved=True),
        Written(asked[5], 1, moved=False),
    ]
    assert {(each.user_id, each.read_seq) for each in places} == {(maja.user_id, 2), (emil.user_id, 4)}
    assert [each.seq for each in told] == [2, 4], "who moved nowhere is not announced"
