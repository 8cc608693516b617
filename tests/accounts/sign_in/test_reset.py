from datetime import timedelta

import pytest
from sqlalchemy import update

from famichat.accounts.audit_log import audit_log_of
from famichat.accounts.device import devices_of
from famichat.accounts.errors import InvalidEmail, InvalidToken
from famichat.accounts.sign_in.credential import Registration
from famichat.accounts.sign_in.passkey import add_passkey, passkeys_of
from famichat.accounts.sign_in.reset import (
    RESET_LIFE,
    ResetRequest,
    confirm,
    request_confirmation,
    request_reset,
    reset_password,
    set_password_by_operator,
)
from famichat.accounts.sign_in.token import Identity, hash_secret
from famichat.accounts.user import Newcomer, User, register
from famichat.storage.base import now
from famichat.storage.database import Database
from tests.factories.people import INDEX, PASSWORD_HASH, VAULT, Household


def user_of(database: Database, user_id: str) -> User:
    return database.run_read(lambda session: session.get_one(User, user_id))


@pytest.fixture
def request_(database: Database, household: Household) -> ResetRequest:
    request = database.run(lambda session: request_reset(session, "maja@example.org", INDEX))
    assert request is not None
    return request


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


def test_a_new_password_signs_every_device_out(
    database: Database, household: Household, request_: ResetRequest
) -> None:
    recovered = database.run(lambda session: reset_password(session, request_.token, "another hash"))

    assert recovered.user_id == household.maja.user_id
    assert recovered.device_ids == (household.maja.device_id,)
    assert database.run_read(lambda session: devices_of(session, household.maja.user_id)) == []
    maja = user_of(database, household.maja.user_id)
    assert (maja.password_hash, maja.reset_token, maja.reset_token_sent_at) == ("another hash", None, None)


def test_a_new_password_ends_every_passkey(database: Database, household: Household, request_: ResetRequest) -> None:
    maja = Identity(household.maja.user_id, household.maja.device_id, "maja")
    database.run(lambda session: add_passkey(session, maja, Registration(b"credential", b"public key", 0)).id)
    database.run(lambda session: reset_password(session, request_.token, "another hash"))

    assert database.run_read(lambda session: passkeys_of(session, maja.user_id)) == []


def test_a_reset_works_once(database: Database, request_: ResetRequest) -> None:
    database.run(lambda session: reset_password(session, request_.token, "another hash"))

    with pytest.raises(InvalidToken):
        database.run(lambda session: reset_password(session, request_.token, "a third hash"))


def test_a_reset_is_good_for_an_hour(database: Database, request_: ResetRequest) -> None:
    late = now() - RESET_LIFE - timedelta(seconds=1)
    database.run(lambda session: session.execute(update(User).values(reset_token_sent_at=late)))

    with pytest.raises(InvalidToken):
        database.run(lambda session: reset_password(session, request_.token, "another hash"))


def test_the_secret_of_a_reset_is_kept_as_a_hash(
    database: Database, household: Household, request_: ResetRequest
) -> None:
    assert user_of(database, household.maja.user_id).reset_token == hash_secret(request_.token)


def test_a_reset_for_an_unknown_account_does_nothing(database: Database, household: Household) -> None:
    assert database.run(lambda session: request_reset(session, "nobody@example.org", INDEX)) is None


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


def test_a_password_set_with_a_reset_secret_is_not_recorded(database: Database, request_: ResetRequest) -> None:
    database.run(lambda session: reset_password(session, request_.token, PASSWORD_HASH))

    assert database.run_read(lambda session: audit_log_of(session, request_.user_id).entries) == []
