"""Positions only advance, never beyond the last message, also with concurrent acknowledgements."""

import asyncio
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from famichat.accounts.device import revoke_device
from famichat.chat.errors import InvalidMessage, NotFound
from famichat.chat.groups.membership import add_to_group, remove_from_group
from famichat.chat.messages.receipt import Status
from famichat.chat.messages.receipt_batch import Acknowledgement, AckResult, write_receipts
from famichat.chat.messages.receipt_writer import ReceiptWriter
from famichat.chat.records.receipt import Receipt
from famichat.storage.base import new_id
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


def ack(
    who: Person, conversation_id: str, seq: int, status: Status = "read", *, attended: bool = True
) -> Acknowledgement:
    return Acknowledgement(who.user_id, who.device_id, "direct", conversation_id, seq, None, status, attended)


def write_now(database: Database, requests: list[Acknowledgement]) -> list[AckResult | Exception]:
    return asyncio.run(write_receipts(database, requests))


def write(database: Database, *requests: Acknowledgement) -> list[bool]:
    """Write requests that are accepted; return which of them advanced a position."""
    results = write_now(database, list(requests))
    assert all(isinstance(result, AckResult) for result in results), results
    return [result.moved for result in results if isinstance(result, AckResult)]


def stored(database: Database, who: Person) -> tuple[int, int, int] | None:
    """The positions of a device: delivered, read and attended."""
    row = database.run_read(
        lambda session: session.execute(select(Receipt).where(Receipt.device_id == who.device_id)).scalar_one_or_none()
    )
    return None if row is None else (row.delivered_seq, row.read_seq, row.attended_seq)


def test_reading_implies_receiving(database: Database, household: Household, direct_id: str) -> None:
    assert write(database, ack(household.maja, direct_id, 3)) == [True]
    assert stored(database, household.maja) == (3, 3, 3)


def test_receiving_does_not_imply_reading(database: Database, household: Household, direct_id: str) -> None:
    write(database, ack(household.maja, direct_id, 3))

    assert write(database, ack(household.maja, direct_id, 7, "delivered")) == [True]
    assert stored(database, household.maja) == (7, 3, 7)


def test_attending_alone_is_stored_but_is_no_advance(database: Database, household: Household, direct_id: str) -> None:
    background, foreground = (ack(household.maja, direct_id, 3, attended=attended) for attended in (False, True))
    assert write(database, background) == [True]
    assert stored(database, household.maja) == (3, 3, 0)

    assert write(database, foreground) == [False]
    assert stored(database, household.maja) == (3, 3, 3)


@pytest.mark.parametrize("seq", [0, -1, SAID + 1, 2**62])
def test_there_is_nothing_to_acknowledge_outside(
    database: Database, household: Household, direct_id: str, seq: int
) -> None:
    [refusal] = write_now(database, [ack(household.maja, direct_id, seq)])

    assert isinstance(refusal, InvalidMessage)
    assert refusal.details == {"field": "seq"}
    assert stored(database, household.maja) is None


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    batches=st.lists(
        st.lists(st.tuples(st.integers(1, SAID), statuses, st.booleans()), min_size=1, max_size=4),
        min_size=1,
        max_size=4,
    )
)
def test_a_device_only_moves_forward(
    database: Database, household: Household, direct_id: str, batches: list[list[tuple[int, Status, bool]]]
) -> None:
    database.run(lambda session: session.execute(text("DELETE FROM message_receipts")))
    delivered, read, attended = 0, 0, 0
    for batch in batches:
        advanced = []
        for seq, status, in_foreground in batch:
            before = (delivered, read)
            delivered, read = max(delivered, seq), max(read, seq if status == "read" else 0)
            attended = max(attended, seq if in_foreground else 0)
            advanced.append((delivered, read) != before)
        requests = [ack(household.maja, direct_id, *each[:2], attended=each[2]) for each in batch]

        assert write(database, *requests) == advanced
        assert stored(database, household.maja) == (delivered, read, attended)


async def test_acknowledgements_at_once_end_at_the_furthest(
    database: Database, household: Household, direct_id: str
) -> None:
    writers = ReceiptWriter(database), ReceiptWriter(database)
    requests = [
        ack(household.maja, direct_id, 1 + n % SAID, "read" if n >= SAID else "delivered") for n in range(2 * SAID)
    ]
    await asyncio.gather(
        *(writers[n % 2].acknowledge(request, lambda _result: None) for n, request in enumerate(requests))
    )

    assert stored(database, household.maja) == (SAID, SAID, SAID)


def test_a_removed_member_and_a_signed_out_device_acknowledge_nothing(database: Database, household: Household) -> None:
    maja, emil, inga = household.maja, household.emil, household.inga

    def fill(session: Session) -> str:
        group_id = group_of(session, household)
        say(session, group_id, maja, "hello")
        remove_from_group(session, maja.user_id, group_id, emil.user_id)
        revoke_device(session, inga.user_id, inga.device_id)
        return group_id

    group_id = database.run(fill)
    requests = [
        Acknowledgement(who.user_id, who.device_id, "group", group_id, 1, None, "read") for who in (emil, inga, maja)
    ]
    *refused, accepted = write_now(database, requests)

    assert [type(each) for each in refused] == [NotFound, NotFound]
    assert isinstance(accepted, AckResult)
    assert (stored(database, emil), stored(database, inga)) == (None, None)


def test_a_message_that_a_new_member_cannot_see_is_not_found(database: Database, household: Household) -> None:
    nils = household.nils

    def fill(session: Session) -> tuple[str, list[str]]:
        group_id = group_of(session, household)
        before = say(session, group_id, household.maja, "before")
        add_to_group(session, household.maja.user_id, group_id, nils.user_id)
        return group_id, before + say(session, group_id, household.maja, "after")

    group_id, ids = database.run(fill)
    requests = [
        Acknowledgement(nils.user_id, nils.device_id, "group", group_id, None, message_id, "read")
        for message_id in (*ids, new_id(), "malformed")
    ]
    results = write_now(database, requests)

    assert [result.seq if isinstance(result, AckResult) else type(result) for result in results] == [
        NotFound,
        2,
        NotFound,
        NotFound,
    ]


class CountingCursor:
    """A cursor that counts its statements."""

    def __init__(self, cursor: Any, seen: list[str]) -> None:
        self._cursor, self._seen = cursor, seen

    def execute(self, *args: Any) -> Any:
        self._seen.append("execute")
        return self._cursor.execute(*args)

    def executemany(self, *args: Any) -> Any:
        self._seen.append("executemany")
        return self._cursor.executemany(*args)


def test_a_batch_takes_as_many_statements_as_one_acknowledgement(
    database: Database, household: Household, direct_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    transaction = database.journal_transaction

    @contextmanager
    def counted(lock: Collection[str]) -> Iterator[CountingCursor]:
        with transaction(lock) as cursor:
            yield CountingCursor(cursor, seen)

    monkeypatch.setattr(database, "journal_transaction", counted)
    write(database, ack(household.maja, direct_id, 1))
    for_one = len(seen)
    write(database, *(ack(who, direct_id, seq) for seq in range(2, SAID) for who in (household.maja, household.emil)))

    assert len(seen) == 2 * for_one <= 2 * 3
