import pytest

from famichat.accounts.device import NewDevice
from famichat.accounts.errors import InvalidCredentials, TooManyAttempts
from famichat.accounts.sign_in.attempt import begin_sign_in, finish_sign_in
from famichat.accounts.sign_in.login_throttle import FROM_ONE_ADDRESS
from famichat.storage.database import Database
from tests.factories.people import INDEX, PASSWORD_HASH, Household

HERE = "192.0.2.1"


@pytest.mark.parametrize("name", ["maja", "MAJA", "maja@example.org"])
def test_an_attempt_finds_its_account_by_username_or_address(
    database: Database, household: Household, name: str
) -> None:
    claim = database.run(lambda session: begin_sign_in(session, name, HERE, INDEX))

    assert (claim.user_id, claim.password_hash) == (household.maja.user_id, PASSWORD_HASH)


@pytest.mark.parametrize("name", ["nobody", "nobody@example.org", "", "\ud800"])
def test_an_attempt_for_an_unknown_account_is_handled_like_one_for_a_known_account(
    database: Database, household: Household, name: str
) -> None:
    claim = database.run(lambda session: begin_sign_in(session, name, HERE, INDEX))

    assert (claim.user_id, claim.password_hash) == (None, None)
    with pytest.raises(InvalidCredentials):
        database.run(lambda session: finish_sign_in(session, claim, HERE, NewDevice("tablet"), INDEX))


@pytest.mark.parametrize(("first", "second"), [("maja", "maja@example.org"), ("nobody", "NOBODY")])
def test_attempts_are_counted_per_account_for_both_username_and_address(
    database: Database, household: Household, first: str, second: str
) -> None:
    for _ in range(FROM_ONE_ADDRESS.attempts):
        database.run(lambda session: begin_sign_in(session, first, HERE, INDEX))

    with pytest.raises(TooManyAttempts):
        database.run(lambda session: begin_sign_in(session, second, HERE, INDEX))


def test_sign_ins_with_the_right_password_are_not_limited(database: Database, household: Household) -> None:
    for _ in range(2 * FROM_ONE_ADDRESS.attempts):
        claim = database.run(lambda session: begin_sign_in(session, "maja", HERE, INDEX))
        started = database.run(lambda session, it=claim: finish_sign_in(session, it, HERE, NewDevice("tablet"), INDEX))  # type: ignore[misc]  # mypy cannot infer a lambda with a default

        assert started.identity.user_id == household.maja.user_id


def test_without_limits_nothing_is_counted(database: Database, household: Household) -> None:
    for _ in range(2 * FROM_ONE_ADDRESS.attempts):
        database.run(lambda session: begin_sign_in(session, "maja", HERE, INDEX, limited=False))
