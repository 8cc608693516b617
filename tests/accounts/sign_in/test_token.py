from datetime import UTC, datetime

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from itsdangerous import URLSafeSerializer

from famichat.accounts.device import revoke_device
from famichat.accounts.errors import InvalidToken
from famichat.accounts.sign_in.token import ACCESS_TOKEN_SECONDS, Tokens, authenticate, hash_secret, new_secret
from famichat.storage.base import new_id
from famichat.storage.database import Database
from tests.factories.people import SECRET, Household

ids = st.uuids().map(str)
USER_ID, DEVICE_ID = new_id(), new_id()


@given(ids, ids)
def test_an_issued_token_is_read_back(user_id: str, device_id: str) -> None:
    claims = Tokens(SECRET).read(Tokens(SECRET).issue(user_id, device_id))

    assert (claims.user_id, claims.device_id) == (user_id, device_id)


def test_a_token_is_good_for_a_quarter_of_an_hour() -> None:
    moment = 1_800_000_000.0
    tokens = Tokens(SECRET, clock=lambda: moment)
    token = tokens.issue(new_id(), new_id())

    assert tokens.read(token).expires_at == datetime.fromtimestamp(moment + 900, UTC)
    moment += ACCESS_TOKEN_SECONDS - 1
    tokens.read(token)
    moment += 1
    with pytest.raises(InvalidToken):
        tokens.read(token)


@given(st.text())
def test_a_token_that_was_not_issued_is_refused(text: str) -> None:
    with pytest.raises(InvalidToken):
        Tokens(SECRET).read(text)


@given(st.integers(0, 1000), st.sampled_from("ABCabc012-_."))
def test_a_modified_token_is_refused(place: int, char: str) -> None:
    token = Tokens(SECRET).issue(USER_ID, DEVICE_ID)
    place %= len(token) - 1  # the last base64 character has unused bits
    assume(token[place] != char)

    with pytest.raises(InvalidToken):
        Tokens(SECRET).read(token[:place] + char + token[place + 1 :])


def test_a_token_of_another_server_or_for_another_purpose_is_refused() -> None:
    elsewhere = Tokens(SECRET + "!").issue(USER_ID, DEVICE_ID)
    other_purpose = URLSafeSerializer(SECRET, salt="something-else").dumps([USER_ID, DEVICE_ID, 2**40])

    for token in (elsewhere, str(other_purpose)):
        with pytest.raises(InvalidToken):
            Tokens(SECRET).read(token)


@pytest.mark.parametrize("claims", [None, [], ["x", "y", 2**40], {"user_id": 1}, [new_id(), new_id(), "soon"]])
def test_a_signature_alone_is_not_enough(claims: object) -> None:
    tokens = Tokens(SECRET)

    with pytest.raises(InvalidToken):
        tokens.read(str(tokens._serializer.dumps(claims)))


def test_a_token_identifies_the_user_and_the_device(database: Database, household: Household) -> None:
    maja = household.maja
    tokens = Tokens(SECRET)
    claims = tokens.read(tokens.issue(maja.user_id, maja.device_id))

    identity = database.run_read(lambda session: authenticate(session, claims))

    assert (identity.user_id, identity.device_id, identity.username) == (maja.user_id, maja.device_id, "maja")


def test_a_token_of_a_revoked_device_is_refused(database: Database, household: Household) -> None:
    maja = household.maja
    tokens = Tokens(SECRET)
    claims = tokens.read(tokens.issue(maja.user_id, maja.device_id))
    database.run(lambda session: revoke_device(session, maja.user_id, maja.device_id))

    with pytest.raises(InvalidToken):
        database.run_read(lambda session: authenticate(session, claims))


@pytest.mark.parametrize(("user", "device"), [("maja", "emil"), ("maja", None), (None, "maja")])
def test_a_token_with_the_device_of_another_user_is_refused(
    database: Database, household: Household, user: str | None, device: str | None
) -> None:
    user_id = getattr(household, user).user_id if user else new_id()
    device_id = getattr(household, device).device_id if device else new_id()
    claims = Tokens(SECRET).read(Tokens(SECRET).issue(user_id, device_id))

    with pytest.raises(InvalidToken):
        database.run_read(lambda session: authenticate(session, claims))


def test_secrets_are_long_different_and_hashed() -> None:
    some = {new_secret() for _ in range(100)}

    assert len(some) == 100
    assert min(map(len, some)) >= 43  # 256 bits
    assert {len(hash_secret(each)) for each in some} == {32}
