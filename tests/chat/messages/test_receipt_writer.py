"""Queued acknowledgements: parsed strictly, written together, refused one by one."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy.orm import Session

from famichat.accounts.privacy import change_privacy
from famichat.chat.access import conversation_for
from famichat.chat.errors import InvalidMessage, NotFound
from famichat.chat.messages.receipt import Status, positions
from famichat.chat.messages.receipt_batch import Acknowledgement, AckResult
from famichat.chat.messages.receipt_writer import ReceiptWriter, parse_status
from famichat.storage.base import new_id
from famichat.storage.database import Database
from tests.factories.people import Household, Person
from tests.factories.talk import direct_of, say
from tests.support.lossy_commits import lossy_commits

SAID = 5


@pytest.fixture
async def receipts(database: Database) -> AsyncIterator[ReceiptWriter]:
    opened = ReceiptWriter(database)
    yield opened
    await opened.close()


@pytest.fixture
def sent(database: Database, household: Household) -> tuple[str, list[str]]:
    """The conversation of Maja and Emil, and the ids of Emil's messages."""

    def fill(session: Session) -> tuple[str, list[str]]:
        conversation_id = direct_of(session, household)
        return conversation_id, say(session, conversation_id, household.emil, *"abcde")

    return database.run(fill)


def ack(
    who: Person, conversation_id: str, seq: int | None, message_id: str | None = None, status: Status = "read"
) -> Acknowledgement:
    return Acknowledgement(who.user_id, who.device_id, "direct", conversation_id, seq, message_id, status)


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
    database: Database, household: Household, sent: tuple[str, list[str]], receipts: ReceiptWriter
) -> None:
    conversation_id, ids = sent
    reported: list[AckResult] = []
    maja, emil, ada = household.maja, household.emil, household.ada
    asked = [
        ack(maja, conversation_id, 2),
        ack(ada, conversation_id, 1),
        ack(maja, conversation_id, SAID + 1),
        ack(maja, conversation_id, None, new_id()),
        ack(emil, conversation_id, None, ids[3]),
        ack(maja, conversation_id, 1),
    ]
    answers = await asyncio.gather(
        *(receipts.acknowledge(each, reported.append) for each in asked), return_exceptions=True
    )
    places = database.run_read(
        lambda session: positions(session, conversation_for(session, maja.user_id, conversation_id))
    )

    assert [answer if isinstance(answer, AckResult) else type(answer) for answer in answers] == [
        AckResult(asked[0], None, 2, moved=True, for_others="read"),
        NotFound,
        InvalidMessage,
        NotFound,
        AckResult(asked[4], None, 4, moved=True, for_others="read"),
        AckResult(asked[5], None, 1, moved=False, for_others="read"),
    ]
    assert {(each["user_id"], each["read_seq"]) for each in places} == {(maja.user_id, 2), (emil.user_id, 4)}
    assert [each.seq for each in reported] == [2, 4], "who moved nowhere is not announced"


async def test_without_read_receipts_a_read_message_is_shown_as_delivered(
    database: Database, household: Household, sent: tuple[str, list[str]], receipts: ReceiptWriter
) -> None:
    conversation_id, _ = sent
    maja, emil = household.maja, household.emil
    database.run(lambda session: change_privacy(session, maja.user_id, read_receipts=False))

    asked = [
        ack(maja, conversation_id, 1),  # received with it
        ack(maja, conversation_id, 3, status="delivered"),
        ack(maja, conversation_id, 3),  # received before
        ack(emil, conversation_id, 3),
    ]
    reported = [await receipts.acknowledge(each, lambda _written: None) for each in asked]

    def shown_to(who: Person) -> list[tuple[str, int, int]]:
        places = database.run_read(
            lambda session: positions(session, conversation_for(session, who.user_id, conversation_id))
        )
        return sorted((each["user_id"], each["delivered_seq"], each["read_seq"]) for each in places)

    assert [(each.moved, each.for_others) for each in reported] == [
        (True, "delivered"),
        (True, "delivered"),
        (True, None),
        (True, "read"),
    ]
    assert shown_to(maja) == sorted([(maja.user_id, 3, 3), (emil.user_id, 3, 3)])
    assert shown_to(emil) == sorted([(maja.user_id, 3, 0), (emil.user_id, 3, 3)])


async def test_receipts_whose_commit_lost_its_reply_are_announced_at_once(
    database_url: str, household: Household, sent: tuple[str, list[str]]
) -> None:
    conversation_id, _ = sent
    announced: list[tuple[str, int]] = []
    requests = [ack(household.maja, conversation_id, 3), ack(household.emil, conversation_id, 5)]
    async with lossy_commits(database_url, b"message_receipts") as (database, lose_a_reply):
        writer = ReceiptWriter(database)
        lose_a_reply()
        results = await asyncio.gather(
            *[writer.acknowledge(each, lambda it: announced.append((it.request.user_id, it.seq))) for each in requests]
        )
        await writer.acknowledge(requests[0], lambda it: announced.append((it.request.user_id, it.seq)))

    assert [each.moved for each in results] == [True, True]
    assert announced == [(household.maja.user_id, 3), (household.emil.user_id, 5)], "once each"
