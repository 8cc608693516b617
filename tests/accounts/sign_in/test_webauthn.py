import base64
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from famichat.accounts.errors import InvalidCredentials, InvalidPasskey, PasskeysUnavailable
from famichat.accounts.sign_in.credential import CHALLENGE_SECONDS, Assertion, Registration
from famichat.accounts.sign_in.webauthn import WebAuthn
from famichat.storage.base import new_id
from tests.factories.people import SECRET
from tests.support.authenticator import PRESENT, Authenticator

URL = "https://chat.example.org"
MAJA, EMIL = new_id(), new_id()
webauthn = WebAuthn(URL, SECRET)


def made(key: Authenticator) -> Registration:
    return webauthn.verify_registration(MAJA, key.create(webauthn.registration_options(MAJA, "maja", [])))


def proven(passkey: Registration, credential: dict[str, Any], user_id: str = MAJA) -> Assertion:
    return webauthn.verify_assertion(credential, user_id, passkey.public_key, passkey.sign_count)


def test_a_registered_passkey_is_verified() -> None:
    key = Authenticator(URL)
    passkey = made(key)
    proof = proven(passkey, key.get(webauthn.assertion_options()))

    assert passkey.credential_id == proof.credential_id == key.credential_id
    assert (passkey.sign_count, proof.sign_count) == (0, 1)


def test_no_two_challenges_are_equal() -> None:
    assert len({webauthn.assertion_options()["challenge"] for _ in range(100)}) == 100


def test_a_registered_authenticator_is_excluded() -> None:
    assert len(webauthn.registration_options(MAJA, "maja", [b"known"])["excludeCredentials"]) == 1


@pytest.mark.parametrize("url", ["http://192.0.2.7:4000", "https://192.0.2.7", "http://[::1]:4000", "http://pi.lan"])
def test_passkeys_are_not_offered_where_browsers_do_not_support_them(url: str) -> None:
    there = WebAuthn(url, SECRET)
    with pytest.raises(PasskeysUnavailable):
        there.assertion_options()
    with pytest.raises(PasskeysUnavailable):
        there.registration_options(MAJA, "maja", [])


@pytest.mark.parametrize("origin", ["http://chat.example.org", "https://chat.example.org.evil.test", f"{URL}:8443"])
def test_a_response_from_another_origin_is_refused(origin: str) -> None:
    key = Authenticator(URL)
    passkey = made(key)
    key.origin = origin

    with pytest.raises(InvalidCredentials):
        proven(passkey, key.get(webauthn.assertion_options()))
    with pytest.raises(InvalidPasskey):
        made(key)


def test_an_assertion_without_user_verification_is_refused() -> None:
    key = Authenticator(URL)
    passkey = made(key)
    key.flags = PRESENT  # user presence without user verification

    with pytest.raises(InvalidCredentials):
        proven(passkey, key.get(webauthn.assertion_options()))
    with pytest.raises(InvalidPasskey):
        made(key)


def test_another_key_is_refused() -> None:
    key, thief = Authenticator(URL), Authenticator(URL)
    passkey = made(key)
    thief.credential_id, thief.user_handle = key.credential_id, key.user_handle

    with pytest.raises(InvalidCredentials):
        proven(passkey, thief.get(webauthn.assertion_options()))


def test_a_passkey_is_good_for_its_person_only() -> None:
    key = Authenticator(URL)
    passkey = made(key)

    with pytest.raises(InvalidCredentials):
        proven(passkey, key.get(webauthn.assertion_options()), EMIL)
    with pytest.raises(InvalidPasskey):
        webauthn.verify_registration(EMIL, key.create(webauthn.registration_options(MAJA, "maja", [])))


def test_a_challenge_serves_its_purpose_only() -> None:
    key = Authenticator(URL)
    passkey = made(key)
    options = {
        **webauthn.assertion_options(),
        "challenge": webauthn.registration_options(MAJA, "maja", [])["challenge"],
    }

    with pytest.raises(InvalidCredentials):
        proven(passkey, key.get(options))


def test_a_challenge_of_another_server_is_refused() -> None:
    key = Authenticator(URL)
    passkey = made(key)

    with pytest.raises(InvalidCredentials):
        proven(
            passkey, key.get(WebAuthn(URL, "another secret of a server, as long as it has to be").assertion_options())
        )


def test_an_expired_challenge_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    key = Authenticator(URL)
    passkey = made(key)
    answer = key.get(webauthn.assertion_options())
    signed_at = int(time.time())
    monkeypatch.setattr("itsdangerous.timed.time.time", lambda: signed_at + CHALLENGE_SECONDS + 2)

    with pytest.raises(InvalidCredentials):
        proven(passkey, answer)


def test_a_lower_counter_is_refused_as_a_copied_key() -> None:
    key = Authenticator(URL)
    passkey = made(key)
    used_here = Registration(passkey.credential_id, passkey.public_key, 7)

    with pytest.raises(InvalidCredentials):
        proven(used_here, key.get(webauthn.assertion_options()))


anything = st.sampled_from([None, True, 7, 1e300, "", "x", "ä", "####", "e30", [], [1], {}, {"x": [None]}])
FIELDS = ("clientDataJSON", "authenticatorData", "attestationObject", "signature", "userHandle")
malformed = st.fixed_dictionaries(
    {},
    optional={"id": anything, "rawId": anything, "type": st.just("public-key") | anything}
    | {"response": anything | st.dictionaries(st.sampled_from(FIELDS), anything)},
)


@given(malformed)
def test_every_malformed_response_gets_the_same_error(credential: dict[str, Any]) -> None:
    with pytest.raises(InvalidPasskey):
        webauthn.verify_registration(MAJA, credential)
    with pytest.raises(InvalidCredentials):
        webauthn.verify_assertion(credential, MAJA, b"key", 0)


@given(st.sampled_from(FIELDS), st.binary(max_size=80))
def test_no_field_of_an_assertion_can_have_another_type(name: str, raw: bytes) -> None:
    key = Authenticator(URL)
    passkey = made(key)
    forged = key.get(webauthn.assertion_options())
    forged["response"][name] = base64.urlsafe_b64encode(raw).decode()
    if name == "attestationObject":  # an assertion has no attestation object
        assert proven(passkey, forged).sign_count == 1
    else:
        with pytest.raises(InvalidCredentials):
            proven(passkey, forged)


@given(st.sampled_from(["clientDataJSON", "attestationObject"]), st.binary(max_size=80))
def test_no_field_of_a_registration_can_have_another_type(name: str, raw: bytes) -> None:
    new = Authenticator(URL).create(webauthn.registration_options(MAJA, "maja", []))
    new["response"][name] = base64.urlsafe_b64encode(raw).decode()
    with pytest.raises(InvalidPasskey):
        webauthn.verify_registration(MAJA, new)
