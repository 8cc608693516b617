"""Claims of notifications, and their confirmation."""

from datetime import timedelta

import pytest
from sqlalchemy.orm import Session

from famichat.push.position import ClaimedSeq, UnconfirmedClaim, claim, set_sending, take_over, unconfirmed_claims
from famichat.storage.base import now
from famichat.storage.database import Database
from tests.factories.people import Household
from tests.factories.talk import direct_of

CLAIMED_AT = now()
LATER = CLAIMED_AT + timedelta(seconds=1)


@pytest.fixture
def claimed(database: Database, household: Household) -> ClaimedSeq:
    """A notification of Emil's device, claimed and not confirmed."""

    def work(session: Session) -> ClaimedSeq:
        claimed = household.emil.device_id, direct_of(session, household), 3
        claim(session, [claimed], CLAIMED_AT)
        return claimed

    return database.run(work)


def unconfirmed(database: Database) -> set[UnconfirmedClaim]:
    return database.run_read(lambda session: unconfirmed_claims(session, 10))


def taken_over(database: Database, claimed: ClaimedSeq) -> set[ClaimedSeq]:
    return database.run(lambda session: take_over(session, {UnconfirmedClaim(*claimed, CLAIMED_AT)}, LATER))


def test_of_several_nodes_one_takes_over_an_abandoned_claim(database: Database, claimed: ClaimedSeq) -> None:
    assert unconfirmed(database) == {UnconfirmedClaim(*claimed, CLAIMED_AT)}
    assert [taken_over(database, claimed) for _ in range(2)] == [{claimed}, set()]
    assert unconfirmed(database) == {UnconfirmedClaim(*claimed, LATER)}


def test_a_renewed_claim_is_not_taken_over(database: Database, claimed: ClaimedSeq) -> None:
    database.run(lambda session: set_sending(session, [claimed], LATER))

    assert taken_over(database, claimed) == set()


def test_a_confirmed_claim_is_neither_renewed_nor_taken_over(database: Database, claimed: ClaimedSeq) -> None:
    for since in (None, LATER):
        database.run(lambda session, since=since: set_sending(session, [claimed], since))  # type: ignore[misc]

    assert taken_over(database, claimed) == set()
    assert unconfirmed(database) == set()


def test_the_confirmation_of_a_notification_does_not_confirm_a_later_one(
    database: Database, claimed: ClaimedSeq
) -> None:
    device_id, conversation_id, seq = claimed
    later = device_id, conversation_id, seq + 1
    database.run(lambda session: claim(session, [later], LATER))
    database.run(lambda session: set_sending(session, [claimed], None))

    assert unconfirmed(database) == {UnconfirmedClaim(*later, LATER)}


def test_a_tab_that_shows_a_later_message_ends_the_claim(database: Database, claimed: ClaimedSeq) -> None:
    device_id, conversation_id, seq = claimed
    database.run(lambda session: claim(session, [(device_id, conversation_id, seq + 1)]))

    assert unconfirmed(database) == set()
