from datetime import timedelta

import pytest
from sqlalchemy import update

from famichat.accounts.audit_log import audit_log_of
from famichat.accounts.device import devices_of
from famichat.accounts.errors import InvalidConfirmationLink, InvalidEmail, InvalidToken
from famichat.accounts.sign_in.credential import Registration
from famichat.accounts.sign_in.passkey import add_passkey, passkeys_of
from famichat.accounts.sign_in.reset import (
    RESET_LIFE,
    confirm,
    issue_reset_link,
    request_confirmation,
    request_reset,
    reset_password,
    set_password_by_operator,
    user_to_email,
)
from famichat.accounts.sign_in.token import Identity, hash_secret
from famichat.accounts.user import Newcomer, User, register
from famichat.storage.base import now
from famichat.storage.database import Database
from tests.factories.people import INDEX, PASSWORD_HASH, VAULT, Household
from tests.support.clock import Clock


def user_of(database: Database, user_id: str) -> User:
    return database.run_read(lambda session: session.get_one(User, user_id))


@pytest.fixture
def token(database: Database, household: Household) -> str:
    """Of a link to reset Maja's password."""
    return database.run(lambda session: request_reset(session, session.get_one(User, household.maja.user_id)))


def to_email(database: Database, name: str) -> str | None:
    return database.run_read(lambda session: user_to_email(session, name, INDEX))


def confirm_address(database: Database, user_id: str) -> None:
    token = database.run(lambda session: request_confirmation(session, user_id))
    database.run(lambda session: confirm(session, token))


def test_an_address_is_confirmed_by_the_secret_once(database: Database, household: Household) -> None:
    token = database.run(lambda session: request_confirmation(session, household.maja.user_id))
    assert user_of(database, household.maja.user_id).confirmation_token == hash_secret(token)

    database.run(lambda session: confirm(session, token))

    maja = user_of(database, household.maja.user_id)
    assert maja.confirmed_at is not None
    assert maja.confirmation_token is None
    with pytest.raises(InvalidToken):
        database.run(lambda session: confirm(session, token))


def test_a_newer_secret_replaces_the_older(database: Database, household: Household) -> None:
    older = database.run(lambda session: request_confirmation(session, household.maja.user_id))
    database.run(lambda session: request_confirmation(session, household.maja.user_id))

    with pytest.raises(InvalidToken):
        database.run(lambda session: confirm(session, older))


def test_an_account_without_an_address_has_nothing_to_confirm(database: Database) -> None:
    newcomer = Newcomer.parse("inga", None)
    inga = database.run(lambda session: register(session, newcomer, PASSWORD_HASH, VAULT, INDEX).id)

    with pytest.raises(InvalidEmail):
        database.run(lambda session: request_confirmation(session, inga))


def test_a_new_password_signs_every_device_out(database: Database, household: Household, token: str) -> None:
    recovered = database.run(lambda session: reset_password(session, token, "another hash"))

    assert recovered.user_id == household.maja.user_id
    assert recovered.device_ids == (household.maja.device_id,)
    assert database.run_read(lambda session: devices_of(session, household.maja.user_id)) == []
    maja = user_of(database, household.maja.user_id)
    assert (maja.password_hash, maja.reset_token, maja.reset_token_sent_at) == ("another hash", None, None)


def test_a_new_password_ends_every_passkey(database: Database, household: Household, token: str) -> None:
    maja = Identity(household.maja.user_id, household.maja.device_id, "maja")
    database.run(lambda session: add_passkey(session, maja, Registration(b"credential", b"public key", 0)).id)
    database.run(lambda session: reset_password(session, token, "another hash"))

    assert database.run_read(lambda session: passkeys_of(session, maja.user_id)) == []


def test_a_reset_works_once(database: Database, token: str) -> None:
    database.run(lambda session: reset_password(session, token, "another hash"))

    with pytest.raises(InvalidToken):
        database.run(lambda session: reset_password(session, token, "a third hash"))


def test_a_reset_is_good_for_an_hour(database: Database, token: str) -> None:
    late = now() - RESET_LIFE - timedelta(seconds=1)
    database.run(lambda session: session.execute(update(User).values(reset_token_sent_at=late)))

    with pytest.raises(InvalidToken):
        database.run(lambda session: reset_password(session, token, "another hash"))


def test_the_secret_of_a_reset_is_kept_as_a_hash(database: Database, household: Household, token: str) -> None:
    assert user_of(database, household.maja.user_id).reset_token == hash_secret(token)


def test_only_a_user_with_a_confirmed_address_can_be_sent_a_link(database: Database, household: Household) -> None:
    names = ("maja", "maja@example.org", "emil", "absent@example.org", "not a name @")
    before = [to_email(database, name) for name in names]
    confirm_address(database, household.maja.user_id)

    assert before == [None] * 5
    assert [to_email(database, name) for name in names] == [household.maja.user_id] * 2 + [None] * 3


def test_a_stranger_cannot_replace_a_valid_link_of_an_admin_but_an_earlier_email(
    database: Database, household: Household, clock: Clock
) -> None:
    emil = household.emil.user_id
    confirm_address(database, emil)
    database.run(lambda session: request_reset(session, session.get_one(User, emil)))
    after_an_email = to_email(database, "emil")
    database.run(lambda session: issue_reset_link(session, emil, by=household.maja.user_id))
    after_a_link = to_email(database, "emil")
    clock.jump(RESET_LIFE + timedelta(seconds=1))

    assert (after_an_email, after_a_link, to_email(database, "emil")) == (emil, None, emil)


def test_a_link_to_confirm_an_address_is_good_for_an_hour(
    database: Database, household: Household, clock: Clock
) -> None:
    late = database.run(lambda session: request_confirmation(session, household.maja.user_id))
    clock.jump(RESET_LIFE + timedelta(seconds=1))
    with pytest.raises(InvalidConfirmationLink):
        database.run(lambda session: confirm(session, late))
    early = database.run(lambda session: request_confirmation(session, household.maja.user_id))
    clock.jump(-timedelta(days=1))
    for wrong in (early, "", "x", f"1.{early}"):
        with pytest.raises(InvalidConfirmationLink):
            database.run(lambda session, it=wrong: confirm(session, it))  # type: ignore[misc]  # mypy cannot infer a lambda with a default


def test_a_password_set_by_the_operator_is_recorded_with_every_revoked_device(
    database: Database, household: Household
) -> None:
    maja = household.maja
    database.run(lambda session: set_password_by_operator(session, session.get_one(User, maja.user_id), PASSWORD_HASH))

    entries = database.run_read(lambda session: audit_log_of(session, maja.user_id).entries)
    assert [(each.action, each.device_id, each.name, each.by_id) for each in entries] == [
        ("device_revoked", maja.device_id, "maja's phone", None),
        ("password_reset", None, None, None),
    ]
    assert database.run_read(lambda session: devices_of(session, maja.user_id)) == []


def test_a_password_set_with_a_reset_secret_is_not_recorded(
    database: Database, household: Household, token: str
) -> None:
    database.run(lambda session: reset_password(session, token, PASSWORD_HASH))

    assert database.run_read(lambda session: audit_log_of(session, household.maja.user_id).entries) == []
