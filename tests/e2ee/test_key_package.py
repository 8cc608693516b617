"""Key packages are given out on both databases."""

from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from famichat.e2ee.errors import InvalidKeys
from famichat.e2ee.key_package import (
    MAX_KEY_PACKAGES,
    StoredKeyPackage,
    claim_key_packages,
    delete_expired_key_packages,
    delete_unusable_key_packages,
    delete_used_key_packages,
    publish_key_packages,
    unclaimed_key_packages,
)
from famichat.storage.base import new_id, now
from famichat.storage.database import Database
from tests.factories.people import Household
from tests.support.clock import Clock
from tests.support.mls import published
from tests.support.services import identity


def claimed(database: Database, conversation_id: str, device_id: str) -> tuple[bytes, bool] | None:
    """Claim a key package; return its reference, and whether it is the last resort."""

    def claim(session: Session) -> tuple[bytes, bool] | None:
        found = claim_key_packages(session, conversation_id, [device_id]).get(device_id)
        return None if found is None else (found.ref, found.last_resort)

    return database.run(claim)


def test_everyone_gets_the_same_key_package_in_a_conversation_until_it_is_used(
    database: Database, household: Household
) -> None:
    device_id = household.emil.device_id
    database.run(lambda session: published(session, household.emil, packages=2))
    here, there = new_id(), new_id()

    first, again, elsewhere = (claimed(database, each, device_id) for each in (here, here, there))
    assert first == again
    assert first is not None
    assert elsewhere is not None
    assert elsewhere[0] != first[0]
    database.run(lambda session: delete_used_key_packages(session, [first[0]]))

    assert claimed(database, here, device_id) not in {first, elsewhere}


def test_the_last_resort_is_given_out_when_no_other_is_left_and_is_not_used_up(
    database: Database, household: Household
) -> None:
    device_id = household.emil.device_id
    database.run(lambda session: published(session, household.emil, packages=1))
    conversations = [new_id() for _ in range(3)]

    given = [claimed(database, each, device_id) for each in conversations]
    assert [each and each[1] for each in given] == [False, True, True]
    last = given[1]
    assert last is not None
    database.run(lambda session: delete_used_key_packages(session, [last[0]]))

    assert claimed(database, conversations[1], device_id) == last


def test_a_key_package_that_a_client_cannot_use_is_given_out_no_more(database: Database, household: Household) -> None:
    device_id, conversation_id = household.emil.device_id, new_id()
    database.run(lambda session: published(session, household.emil, packages=1))

    claimed(database, conversation_id, device_id)
    database.run(lambda session: delete_unusable_key_packages(session, conversation_id, [device_id]))

    assert claimed(database, conversation_id, device_id) is None


def test_an_expired_key_package_is_not_given_out(database: Database, household: Household, clock: Clock) -> None:
    device_id = household.emil.device_id
    database.run(lambda session: published(session, household.emil))

    clock.jump(timedelta(days=31))

    assert claimed(database, new_id(), device_id) is None
    database.run(delete_expired_key_packages)
    assert database.run_read(lambda session: session.execute(select(StoredKeyPackage)).all()) == []


def test_a_key_package_is_kept_for_30_days_at_most(database: Database, household: Household) -> None:
    device = database.run(lambda session: published(session, household.emil, packages=0))
    forever = device.key_package(expires_at=2**40)

    database.run(
        lambda session: publish_key_packages(session, identity(household.emil), device.signature_key, [forever], None)
    )

    expires_at = database.run_read(lambda session: session.execute(select(StoredKeyPackage.expires_at)).scalar_one())
    assert expires_at < now() + timedelta(days=30, minutes=1)


def test_publishing_again_adds_nothing_and_too_many_are_refused(database: Database, household: Household) -> None:
    emil = identity(household.emil)
    device = database.run(lambda session: published(session, household.emil, packages=0))
    bodies = [device.key_package() for _ in range(MAX_KEY_PACKAGES)]

    def publish(*packages: bytes) -> int:
        return database.run(lambda session: publish_key_packages(session, emil, device.signature_key, packages, None))

    assert [publish(*bodies), publish(*bodies)] == [MAX_KEY_PACKAGES, MAX_KEY_PACKAGES]
    with pytest.raises(InvalidKeys):
        publish(device.key_package())
    assert database.run_read(lambda session: unclaimed_key_packages(session, emil.device_id)) == MAX_KEY_PACKAGES
