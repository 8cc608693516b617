import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from famichat.accounts import idempotency
from famichat.accounts.errors import IdempotencyKeyReused
from famichat.accounts.idempotency import (
    KEY_LIFE,
    KeyedRequest,
    UsedIdempotencyKey,
    earlier_result,
    remember_result,
)
from famichat.storage.base import new_id
from famichat.storage.database import Database
from tests.factories.people import Household
from tests.support.clock import Clock


def create_once(session: Session, user_id: str, request: KeyedRequest | None) -> str:
    earlier_id = earlier_result(session, user_id, request)
    if earlier_id is None:
        earlier_id = new_id()
        remember_result(session, user_id, request, earlier_id)
    return earlier_id


def create(database: Database, user_id: str, key: str | None, *parameters: object) -> str:
    return database.run(lambda session: create_once(session, user_id, KeyedRequest.of(key, "create", *parameters)))


def test_a_request_without_a_key_is_never_a_repeat(database: Database, household: Household) -> None:
    assert len({create(database, household.maja.user_id, None) for _ in range(2)}) == 2


def test_a_key_with_another_request_is_refused(database: Database, household: Household) -> None:
    create(database, household.maja.user_id, "key", {"size": 5})

    with pytest.raises(IdempotencyKeyReused):
        create(database, household.maja.user_id, "key", {"size": 6})


async def test_fifty_concurrent_requests_with_one_key_create_one_resource(
    database: Database, household: Household
) -> None:
    request = KeyedRequest.of("key", "create")

    def work(session: Session) -> str:
        return create_once(session, household.maja.user_id, request)

    assert len(set(await asyncio.gather(*(database.transaction(work) for _ in range(50))))) == 1


@pytest.mark.parametrize("step", [KEY_LIFE + timedelta(minutes=1), -KEY_LIFE])
def test_a_key_is_forgotten_after_a_day_and_when_its_time_is_in_the_future(
    database: Database, household: Household, clock: Clock, step: timedelta
) -> None:
    create(database, household.maja.user_id, "old")
    clock.jump(step)
    create(database, household.maja.user_id, "new")

    assert count(database) == 1


def test_the_keys_of_a_user_are_limited_and_the_oldest_are_forgotten(
    database: Database, household: Household, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idempotency, "MAX_KEYS", 3)
    create(database, household.emil.user_id, "of Emil")
    ids = []
    for number in range(5):
        clock.jump(timedelta(seconds=1))
        ids.append(create(database, household.maja.user_id, f"key {number}"))

    assert count(database) == 3 + 1
    assert create(database, household.maja.user_id, "key 4") == ids[4]
    assert create(database, household.maja.user_id, "key 0") != ids[0]


def count(database: Database) -> int:
    return len(database.run_read(lambda session: session.execute(select(UsedIdempotencyKey.key_hash)).all()))
