"""The two ceremonies of passkeys (WebAuthn Level 3, section 7): making one, and proving that one has it.

Each has two steps. The server gives options with a challenge; the browser has the authenticator sign it and brings that
back. A challenge is random, signed by this server for one purpose, and good for five minutes, so nothing is kept of
those that nobody answers. The cryptography is py_webauthn's and itsdangerous'.

    options = ceremonies.registration_options(user_id, username, known=[])   # to navigator.credentials.create()
    made = ceremonies.verify_registration(user_id, credential)                 # what it answered
"""

import hashlib
import ipaddress
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import webauthn
from itsdangerous import BadData, TimestampSigner
from webauthn.helpers import base64url_to_bytes, options_to_json_dict
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from famichat.accounts.errors import InvalidCredentials, InvalidPasskey, PasskeysUnavailable

CHALLENGE_SECONDS = 5 * 60
_CHALLENGE_BYTES = 32
_MAX_CREDENTIAL_ID = 1023  # WebAuthn, 4: Credential ID
# What the libraries say of what they do not take; and base64 and JSON, before one of them sees it.
_NOT_TAKEN = (WebAuthnException, BadData, ValueError, TypeError, KeyError, AttributeError, RecursionError)

Credential = Mapping[str, Any]
"""What `PublicKeyCredential.toJSON()` gives in a browser."""


@dataclass(frozen=True, slots=True)
class Registration:
    """A new passkey: its id, its public key (COSE), and how often the authenticator says to have used it."""

    credential_id: bytes
    public_key: bytes
    sign_count: int


@dataclass(frozen=True, slots=True)
class Assertion:
    """Somebody has a passkey: which, the answered challenge as a hash, and the new count of uses."""

    credential_id: bytes
    challenge_hash: bytes
    sign_count: int


class WebAuthn:
    """Gives options, and checks what comes back.

    Args:
        public_url: the address people open; passkeys belong to its host, and answers must come from its origin.
        secret: the server's secret key.
    """

    def __init__(self, public_url: str, secret: str) -> None:
        parts = urlsplit(public_url)
        self._host = parts.hostname or ""
        self._origin = f"{parts.scheme}://{parts.netloc}"
        self._possible = _is_name(self._host) and (parts.scheme == "https" or self._host == "localhost")
        self._secret = secret

    def registration_options(self, user_id: str, username: str, known: Sequence[bytes]) -> dict[str, Any]:
        """The options for a new passkey.

        Args:
            user_id: whose it will be.
            username: what the authenticator shows.
            known: ids of the passkeys that the person has; the same authenticator does not make a second one.

        Raises:
            PasskeysUnavailable: no browser makes one for the address of this server.
        """
        self._check_possible()
        options = webauthn.generate_registration_options(
            rp_id=self._host,
            rp_name="Famichat",
            user_name=username,
            user_id=UUID(user_id).bytes,
            challenge=self._challenge(f"make:{user_id}"),
            timeout=CHALLENGE_SECONDS * 1000,
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.REQUIRED,
                user_verification=UserVerificationRequirement.REQUIRED,
            ),
            exclude_credentials=[PublicKeyCredentialDescriptor(id=each) for each in known],
        )
        return options_to_json_dict(options)

    def verify_registration(self, user_id: str, credential: Credential) -> Registration:
        """Check a new passkey.

        Raises:
            InvalidPasskey: it is malformed, for another site or person, or too late.
        """
        try:
            verified = webauthn.verify_registration_response(
                credential=dict(credential),
                expected_challenge=self._answered(f"make:{user_id}", credential),
                expected_rp_id=self._host,
                expected_origin=self._origin,
                require_user_verification=True,
            )
        except _NOT_TAKEN:
            raise InvalidPasskey from None
        if len(verified.credential_id) > _MAX_CREDENTIAL_ID:
            raise InvalidPasskey
        return Registration(verified.credential_id, verified.credential_public_key, verified.sign_count)

    def assertion_options(self) -> dict[str, Any]:
        """The options for whoever wants to come in. They name nobody: the authenticator knows whose passkeys it holds.

        Raises:
            PasskeysUnavailable: no browser has one for the address of this server.
        """
        self._check_possible()
        options = webauthn.generate_authentication_options(
            rp_id=self._host,
            challenge=self._challenge("sign-in"),
            timeout=CHALLENGE_SECONDS * 1000,
            user_verification=UserVerificationRequirement.REQUIRED,
        )
        return options_to_json_dict(options)

    def verify_assertion(self, credential: Credential, user_id: str, public_key: bytes, sign_count: int) -> Assertion:
        """Check that somebody has a passkey.

        Args:
            credential: what the browser brings.
            user_id: whose passkey it is, by what is known of it here.
            public_key: what it must be signed for.
            sign_count: how often it was used, when it was last used here.

        Raises:
            InvalidCredentials: it is malformed, signed by something else, for another site or person, or too late.
        """
        try:
            challenge = self._answered("sign-in", credential)
            verified = webauthn.verify_authentication_response(
                credential=dict(credential),
                expected_challenge=challenge,
                expected_rp_id=self._host,
                expected_origin=self._origin,
                credential_public_key=public_key,
                credential_current_sign_count=sign_count,
                require_user_verification=True,
            )
            handle = base64url_to_bytes(credential["response"]["userHandle"])
        except _NOT_TAKEN:
            raise InvalidCredentials from None
        if handle != UUID(user_id).bytes:
            raise InvalidCredentials
        return Assertion(verified.credential_id, hashlib.sha256(challenge).digest(), verified.new_sign_count)

    def _check_possible(self) -> None:
        if not self._possible:
            raise PasskeysUnavailable

    def _challenge(self, purpose: str) -> bytes:
        return self._signer(purpose).sign(secrets.token_urlsafe(_CHALLENGE_BYTES))

    def _answered(self, purpose: str, credential: Credential) -> bytes:
        told = json.loads(base64url_to_bytes(credential["response"]["clientDataJSON"]))
        challenge = base64url_to_bytes(told["challenge"])
        self._signer(purpose).unsign(challenge, max_age=CHALLENGE_SECONDS)
        return challenge

    def _signer(self, purpose: str) -> TimestampSigner:
        salt = f"famichat.passkey.{purpose}"
        return TimestampSigner(self._secret, salt=salt, key_derivation="hmac", digest_method=hashlib.sha256)


def credential_id_of(credential: Credential) -> bytes:
    """Which passkey a browser says to bring.

    Raises:
        InvalidCredentials: it says nothing that could be one.
    """
    shown = credential.get("rawId")
    if not isinstance(shown, str):  # base64 takes more than text
        raise InvalidCredentials
    try:
        return base64url_to_bytes(shown)
    except ValueError:
        raise InvalidCredentials from None


def _is_name(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return bool(host)
    return False
