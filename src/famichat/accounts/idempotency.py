"""Idempotency keys: a request that is repeated with its key returns what the first one created.

The header `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header) is for requests that create something and have
no other key by which a repeat is recognized. A key belongs to one user and names one created resource. Responses are
not stored: they are made from the resource, and a token in them is issued again.

    earlier_id = earlier_result(session, user_id, request)
    if earlier_id is None:
        earlier_id = create(session)
        remember_result(session, user_id, request, earlier_id)
"""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self

from sqlalchemy import ForeignKey, LargeBinary, delete, or_, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from famichat.accounts.errors import IdempotencyKeyReused
from famichat.storage.base import CLOCK_TOLERANCE, Base, Created, Id, now

KEY_LIFE = timedelta(days=1)
"""How long a key is remembered."""

MAX_KEYS = 500
"""How many keys of one user are remembered; the oldest are forgotten first."""


class UsedIdempotencyKey(Base):
    """A key that created something.

    Attributes:
        key_hash: SHA-256 of the key, which may be guessable.
        request_hash: SHA-256 of the request.
        resource_id: what the request created.
    """

    __tablename__ = "accounts_idempotency_keys"

    user_id: Mapped[str] = mapped_column(Id, ForeignKey("accounts_users.id", ondelete="CASCADE"), primary_key=True)
    key_hash: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    request_hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    resource_id: Mapped[str] = mapped_column(Id)
    created_at: Mapped[Created]


@dataclass(frozen=True, slots=True)
class KeyedRequest:
    """A request with its key, both hashed."""

    key_hash: bytes
    request_hash: bytes

    @classmethod
    def of(cls, key: str | None, operation: str, *parameters: object) -> Self | None:
        """Return the request; None without a key.

        Args:
            key: the header's value.
            operation: what the request does.
            parameters: everything that distinguishes it from another request, as JSON values. No secrets, because a
                hash of a short one can be reversed.
        """
        if key is None:
            return None
        request = json.dumps([operation, *parameters])
        return cls(hashlib.sha256(key.encode()).digest(), hashlib.sha256(request.encode()).digest())


def earlier_result(session: Session, user_id: str, request: KeyedRequest | None) -> str | None:
    """Return the id of what this request created before; None if it did not, or has no key.

    Raises:
        IdempotencyKeyReused: the user has sent another request with this key.
    """
    if request is None:
        return None
    known = session.get(UsedIdempotencyKey, (user_id, request.key_hash))
    if known is None:
        return None
    if known.request_hash != request.request_hash:
        raise IdempotencyKeyReused
    return known.resource_id


def remember_result(session: Session, user_id: str, request: KeyedRequest | None, resource_id: str) -> None:
    """Remember what a request created, and forget old keys of the user.

    Args:
        session: the transaction that creates it. It must have called `earlier_result`, so that of two concurrent
            requests one fails to serialize and is repeated.
        user_id: the user.
        request: the request; nothing is remembered without a key.
        resource_id: what it created.
    """
    if request is None:
        return
    _forget_old(session, user_id)
    session.merge(
        UsedIdempotencyKey(
            user_id=user_id,
            key_hash=request.key_hash,
            request_hash=request.request_hash,
            resource_id=resource_id,
            created_at=now(),
        )
    )
    session.flush()


def _forget_old(session: Session, user_id: str) -> None:
    of_user = UsedIdempotencyKey.user_id == user_id
    created_at = UsedIdempotencyKey.created_at
    newest = select(created_at).where(of_user).order_by(created_at.desc())
    last_kept: datetime | None = session.execute(newest.offset(MAX_KEYS - 2).limit(1)).scalar_one_or_none()
    forgotten = [created_at < now() - KEY_LIFE, created_at > now() + CLOCK_TOLERANCE]
    if last_kept is not None:
        forgotten.append(created_at < last_kept)
    session.execute(delete(UsedIdempotencyKey).where(of_user, or_(*forgotten)))
