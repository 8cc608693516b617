"""What a browser returns in a ceremony of passkeys, and what remains of it once verified (see `webauthn.py`)."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from famichat.accounts.errors import InvalidCredentials

CHALLENGE_SECONDS = 5 * 60

Credential = Mapping[str, Any]
"""The result of `PublicKeyCredential.toJSON()` in a browser."""


@dataclass(frozen=True, slots=True)
class Registration:
    """A verified registration: the credential id, the public key (COSE), and the signature counter."""

    credential_id: bytes
    public_key: bytes
    sign_count: int


@dataclass(frozen=True, slots=True)
class Assertion:
    """A verified assertion: the credential id, the hash of the answered challenge, and the new signature counter."""

    credential_id: bytes
    challenge_hash: bytes
    sign_count: int


def credential_id_of(credential: Credential) -> bytes:
    """Return the unverified credential id in a browser's response.

    Raises:
        InvalidCredentials: it is missing or malformed.
    """
    raw_id = credential.get("rawId")
    if not isinstance(raw_id, str):  # base64 also accepts other types
        raise InvalidCredentials
    try:
        return base64.urlsafe_b64decode(f"{raw_id}===")  # needless padding is ignored
    except ValueError:
        raise InvalidCredentials from None
