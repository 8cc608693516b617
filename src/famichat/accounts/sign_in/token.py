"""Signed, short-lived access tokens, and random secrets that are looked up by their hash.

An access token is valid for 15 minutes and contains nothing secret. Each use checks that its device was not revoked, so
revoking a device also invalidates its stolen access token.

    tokens = Tokens(secret)
    token = tokens.issue(user_id, device_id)
    identity = await database.read(lambda session: authenticate(session, tokens.read(token)))
"""

import hashlib
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from itsdangerous import BadData, URLSafeSerializer
from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from famichat.accounts.device import Device
from famichat.accounts.errors import InvalidToken
from famichat.accounts.user import User
from famichat.storage.base import CLOCK_TOLERANCE, is_id
from famichat.storage.prepared import Prepared

ACCESS_TOKEN_SECONDS = 15 * 60
_SECRET_BYTES = 32
_MAX_TOKEN = 512

_HOLDER: Final = Prepared[str](
    select(User.username)
    .join(Device, Device.user_id == User.id)
    .where(User.id == bindparam("user_id"), Device.id == bindparam("device_id"), Device.revoked_at.is_(None))
)


@dataclass(frozen=True, slots=True)
class Claims:
    """The verified contents of an access token."""

    user_id: str
    device_id: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Identity:
    """The authenticated user and device of a request."""

    user_id: str
    device_id: str
    username: str


class Tokens:
    """Issues and verifies access tokens.

    Args:
        secret: the server's secret key; changing it invalidates every access token.
        clock: seconds since 1970.
    """

    def __init__(self, secret: str, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        signing = {"digest_method": hashlib.sha256, "key_derivation": "hmac"}
        self._serializer = URLSafeSerializer(secret, salt="famichat.access-token", signer_kwargs=signing)

    def issue(self, user_id: str, device_id: str) -> str:
        """Return an access token for a user on a device."""
        expires_at = int(self._clock()) + ACCESS_TOKEN_SECONDS
        return self._serializer.dumps([user_id, device_id, expires_at])

    def read(self, token: str) -> Claims:
        """Verify a token and return its contents. Does not check that the device is signed in; see `authenticate`.

        Raises:
            InvalidToken: it is malformed, forged, expired, or was issued while the clock was ahead.
        """
        if len(token) > _MAX_TOKEN or not token.isascii():
            raise InvalidToken
        try:
            signed = self._serializer.loads(token)
        except BadData:
            raise InvalidToken from None
        match signed:
            case [str(user_id), str(device_id), int(expires_at)] if is_id(user_id) and is_id(device_id):
                if not 0 < expires_at - self._clock() <= ACCESS_TOKEN_SECONDS + CLOCK_TOLERANCE.total_seconds():
                    raise InvalidToken
                return Claims(user_id, device_id, datetime.fromtimestamp(expires_at, UTC))
            case _:
                raise InvalidToken


def authenticate(session: Session, claims: Claims) -> Identity:
    """Return the user and device that a token was issued to.

    Raises:
        InvalidToken: the account was deleted, or the device was revoked.
    """
    return _holder(session, claims.user_id, claims.device_id)


def still_signed_in(session: Session, identity: Identity) -> None:
    """Check again, inside a transaction that writes, that a request's user and device are still signed in.

    Raises:
        InvalidToken: the account was deleted, or the device was revoked, since the request was authenticated.
    """
    _holder(session, identity.user_id, identity.device_id)


def _holder(session: Session, user_id: str, device_id: str) -> Identity:
    for (username,) in _HOLDER.rows(session, user_id=user_id, device_id=device_id):
        return Identity(user_id, device_id, username)
    raise InvalidToken


def new_secret() -> str:
    """Return 256 random bits, base64url: a refresh token, an invite, or a link in an e-mail."""
    return secrets.token_urlsafe(_SECRET_BYTES)


def hash_secret(secret: str) -> bytes:
    """Return the hash under which a secret is stored. A fast hash is enough for 256 random bits."""
    return hashlib.sha256(secret.encode(errors="replace")).digest()
