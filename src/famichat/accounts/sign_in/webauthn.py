"""The registration and authentication ceremonies of passkeys (WebAuthn Level 3, section 7).

Each has two steps: the server issues options with a challenge; the browser returns the authenticator's signature over
it. A challenge is random, signed by this server for one purpose, and valid for five minutes, so the server stores only
those that were answered. The cryptography is that of py_webauthn and itsdangerous.

    options = webauthn.registration_options(user_id, username, known=[])   # for navigator.credentials.create()
    registration = webauthn.verify_registration(user_id, credential)       # its result
"""

import hashlib
import ipaddress
import json
import secrets
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import webauthn
from itsdangerous import BadData, SignatureExpired, TimestampSigner
from webauthn.helpers import base64url_to_bytes, options_to_json_dict
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from famichat.accounts.errors import InvalidCredentials, InvalidPasskey, PasskeysUnavailable
from famichat.accounts.sign_in.credential import CHALLENGE_SECONDS, Assertion, Credential, Registration
from famichat.storage.base import is_future, now

_CHALLENGE_BYTES = 32
_MAX_CREDENTIAL_ID = 1023  # WebAuthn, 4: Credential ID
# What the libraries, base64 and JSON raise for malformed input.
_INVALID_INPUT = (WebAuthnException, BadData, ValueError, TypeError, KeyError, AttributeError, RecursionError)


class WebAuthn:
    """Issues options and verifies the browser's responses.

    Args:
        public_url: the server's public URL: its host is the relying party id, and its origin the expected origin.
        secret: the server's secret key, which signs challenges.
    """

    def __init__(self, public_url: str, secret: str) -> None:
        parts = urlsplit(public_url)
        self._host = parts.hostname or ""
        self._origin = f"{parts.scheme}://{parts.netloc}"
        self._possible = _is_domain(self._host) and (parts.scheme == "https" or self._host == "localhost")
        self._secret = secret

    def registration_options(self, user_id: str, username: str, known: Sequence[bytes]) -> dict[str, Any]:
        """Return the options for `navigator.credentials.create()`.

        Args:
            user_id: the user who registers a passkey.
            username: the name the authenticator shows.
            known: credential ids of the user's passkeys; their authenticators do not create another one.

        Raises:
            PasskeysUnavailable: browsers do not create passkeys for this server's address.
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
        """Verify a new passkey.

        Args:
            user_id: the user who registers it.
            credential: the browser's response.

        Raises:
            InvalidPasskey: it is malformed, expired, or for another site or user.
        """
        try:
            verified = webauthn.verify_registration_response(
                credential=dict(credential),
                expected_challenge=self._answered(f"make:{user_id}", credential),
                expected_rp_id=self._host,
                expected_origin=self._origin,
                require_user_verification=True,
            )
        except _INVALID_INPUT:
            raise InvalidPasskey from None
        if len(verified.credential_id) > _MAX_CREDENTIAL_ID:
            raise InvalidPasskey
        return Registration(verified.credential_id, verified.credential_public_key, verified.sign_count)

    def assertion_options(self) -> dict[str, Any]:
        """Return the options for `navigator.credentials.get()`. They name no user: passkeys are discoverable.

        Raises:
            PasskeysUnavailable: browsers have no passkeys for this server's address.
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
        """Verify a passkey's signature.

        Args:
            credential: the browser's response.
            user_id: the stored owner of the passkey.
            public_key: its stored public key (COSE).
            sign_count: its stored signature counter.

        Raises:
            InvalidCredentials: it is malformed, expired, for another site or user, or the signature does not match.
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
        except _INVALID_INPUT:
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
        client_data = json.loads(base64url_to_bytes(credential["response"]["clientDataJSON"]))
        challenge = base64url_to_bytes(client_data["challenge"])
        _, signed_at = self._signer(purpose).unsign(challenge, return_timestamp=True)
        # Not with `max_age`: it refuses a challenge of another server whose clock is a second ahead.
        if is_future(signed_at) or signed_at + timedelta(seconds=CHALLENGE_SECONDS) < now():
            raise SignatureExpired("the challenge has expired")
        return challenge

    def _signer(self, purpose: str) -> TimestampSigner:
        salt = f"famichat.passkey.{purpose}"
        return TimestampSigner(self._secret, salt=salt, key_derivation="hmac", digest_method=hashlib.sha256)


def _is_domain(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return bool(host)
    return False
