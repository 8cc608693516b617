"""What somebody shows to say who they are: short-lived access tokens, signed, and secrets, looked up.

An access token is good for 15 minutes and carries nothing secret. That its device was not revoked meanwhile is asked
again at every use, so a stolen one dies with its device.

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

from itsdangerous import BadData, URLSafeSerializer
from sqlalchemy import select
from sqlalchemy.orm import Session

from famichat.accounts.device import Device
from famichat.accounts.errors import InvalidToken
from famichat.accounts.user import User
from famichat.storage.base import is_id

ACCESS_TOKEN_SECONDS = 15 * 60
_SECRET_BYTES = 32
_MAX_TOKEN = 512


@dataclass(frozen=True, slots=True)
class Claims:
    """What an access token says, and the server signed."""

    user_id: str
    device_id: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Identity:
    """Who is asking, and on which device."""

    user_id: str
    device_id: str
    username: str


class Tokens:
    """Issues access tokens and reads them back.

    Args:
        secret: the server's secret key; a new one ends every session.
        clock: seconds since 1970.
    """

    def __init__(self, secret: str, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        signing = {"digest_method": hashlib.sha256, "key_derivation": "hmac"}
        self._serializer = URLSafeSerializer(secret, salt="famichat.access-token", signer_kwargs=signing)

    def issue(self, user_id: str, device_id: str) -> str:
        """An access token for one person on one device."""
        expires_at = int(self._clock()) + ACCESS_TOKEN_SECONDS
        return self._serializer.dumps([user_id, device_id, expires_at])

    def read(self, token: str) -> Claims:
        """What a token says. Whether the device is still good is for `authenticate` to ask.

        Raises:
            InvalidToken: it is malformed, forged, or expired.
        """
        if len(token) > _MAX_TOKEN or not token.isascii():
            raise InvalidToken
        try:
            signed = self._serializer.loads(token)
        except BadData:
            raise InvalidToken from None
        match signed:
            case [str(user_id), str(device_id), int(expires_at)] if is_id(user_id) and is_id(device_id):
                if expires_at <= self._clock():
                    raise InvalidToken
                return Claims(user_id, device_id, datetime.fromtimestamp(expires_at, UTC))
            case _:
                raise InvalidToken


def authenticate(session: Session, claims: Claims) -> Identity:
    """Who holds a token with these claims.

    Raises:
        InvalidToken: the person is gone, or the device was revoked.
    """
    return _holder(session, claims.user_id, claims.device_id)


def still_signed_in(session: Session, identity: Identity) -> None:
    """Ask again, in the transaction that is to write something for somebody who was let in a moment ago.

    Raises:
        InvalidToken: the person is gone, or the device was revoked, since then.
    """
    _holder(session, identity.user_id, identity.device_id)


def _holder(session: Session, user_id: str, device_id: str) -> Identity:
    holder = (
        select(User.username)
        .join(Device, Device.user_id == User.id)
        .where(User.id == user_id, Device.id == device_id, Device.revoked_at.is_(None))
    )
    username = session.execute(holder).scalar_one_or_none()
    if username is None:
        raise InvalidToken
    return Identity(user_id, device_id, username)


def new_secret() -> str:
    """256 random bits to hand out once: a refresh token, an invitation, a link in an e-mail."""
    return secrets.token_urlsafe(_SECRET_BYTES)


def hash_secret(secret: str) -> bytes:
    """What is kept of a secret. It is random, so a fast hash is enough, and looking it up tells nothing."""
    return hashlib.sha256(secret.encode(errors="replace")).digest()
