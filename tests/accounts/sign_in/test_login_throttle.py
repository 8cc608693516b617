import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import text, update

from famichat.accounts.errors import TooManyAttempts
from famichat.accounts.sign_in.login_throttle import (
    FROM_ANYWHERE,
    FROM_ONE_ADDRESS,
    LoginAttempts,
    count_attempt,
    reset_attempts,
)
from famichat.storage.base import now
from famichat.storage.database import Database
from tests.factories.people import INDEX


def guess(database: Database, address: str = "192.0.2.1", account: str = "maja") -> None:
    database.run(lambda session: count_attempt(session, INDEX, account, address))


def let_pass(database: Database, time: timedelta) -> None:
    database.run(lambda session: session.execute(update(LoginAttempts).values(began_at=now() - time)))


def test_ten_guesses_from_one_address_are_allowed_and_the_next_must_wait(database: Database) -> None:
    for _ in range(FROM_ONE_ADDRESS.attempts):
        guess(database)

    with pytest.raises(TooManyAttempts) as refused:
        guess(database)

    assert 890_000 < refused.value.details["retry_in_ms"] <= 900_000


def test_other_addresses_and_accounts_are_not_limited(database: Database) -> None:
    for _ in range(FROM_ONE_ADDRESS.attempts):
        guess(database)

    guess(database, address="192.0.2.2")
    guess(database, account="emil")


def test_attempts_are_allowed_again_after_the_window(database: Database) -> None:
    for _ in range(FROM_ONE_ADDRESS.attempts):
        guess(database)
    let_pass(database, FROM_ONE_ADDRESS.window)

    guess(database)


def test_attempts_from_many_addresses_are_limited_too(database: Database) -> None:
    for number in range(FROM_ANYWHERE.attempts):
        guess(database, address=f"192.0.2.{number}")

    with pytest.raises(TooManyAttempts):
        guess(database, address="198.51.100.1")


def test_a_successful_attempt_is_not_counted(database: Database) -> None:
    for _ in range(FROM_ANYWHERE.attempts + 1):
        guess(database)
        database.run(lambda session: reset_attempts(session, INDEX, "maja", "192.0.2.1"))


def test_old_attempts_are_forgotten(database: Database) -> None:
    guess(database)
    let_pass(database, FROM_ANYWHERE.window + timedelta(seconds=1))
    database.run(lambda session: reset_attempts(session, INDEX, "emil", "192.0.2.1"))

    count = text("SELECT count(*) FROM accounts_guesses")
    assert database.run_read(lambda session: session.execute(count).scalar_one()) == 0


async def test_concurrent_attempts_are_limited_like_sequential_attempts(database: Database) -> None:
    results = await asyncio.gather(
        *(database.transaction(lambda session: count_attempt(session, INDEX, "maja", "192.0.2.1")) for _ in range(30)),
        return_exceptions=True,
    )

    assert results.count(None) == FROM_ONE_ADDRESS.attempts
    assert sum(isinstance(each, TooManyAttempts) for each in results) == 20
