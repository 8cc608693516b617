"""Passkeys (WebAuthn credentials), of which the server stores the public key.

`webauthn.py` verifies registrations and assertions, before the transaction begins.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, LargeBinary, String, delete, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from famichat.accounts.device import MAX_DEVICE_NAME, Device, NewDevice
from famichat.accounts.errors import InvalidCredentials, InvalidPasskey, NoSuchPasskey
from famichat.accounts.idempotency import earlier_result
from famichat.accounts.sign_in.credential import CHALLENGE_SECONDS, Assertion, Registration
from famichat.accounts.sign_in.session import StartedSession, start_session
from famichat.accounts.sign_in.token import Identity
from famichat.storage.base import Base, Created, Id, PrimaryKey, is_id, now
from famichat.storage.upsert import insert_for

MAX_PASSKEYS = 20
"""The most passkeys a user can have."""


class Passkey(Base):
    """A passkey, named after the device that created it."""

    __tablename__ = "accounts_passkeys"
    __table_args__ = (
        CheckConstraint(f"length(name) BETWEEN 1 AND {MAX_DEVICE_NAME}", name="name_length"),
        CheckConstraint("sign_count >= 0", name="sign_count"),
    )

    id: Mapped[PrimaryKey]
    user_id: Mapped[str] = mapped_column(Id, ForeignKey("accounts_users.id", ondelete="CASCADE"), index=True)
    credential_id: Mapped[bytes] = mapped_column(LargeBinary(1023), unique=True)
    public_key: Mapped[bytes] = mapped_column(LargeBinary)
    sign_count: Mapped[int] = mapped_column(BigInteger)
    name: Mapped[str] = mapped_column(String(MAX_DEVICE_NAME))
    created_at: Mapped[Created]
    last_used_at: Mapped[datetime | None]


class UsedChallenge(Base):
    """A challenge that was answered, stored until it expires so that the answer cannot be replayed."""

    __tablename__ = "accounts_used_challenges"

    challenge_hash: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    expires_at: Mapped[datetime] = mapped_column(index=True)


@dataclass(frozen=True, slots=True)
class KnownPasskey:
    """What an assertion of a passkey is verified against."""

    user_id: str
    public_key: bytes


def passkeys_of(session: Session, user_id: str) -> list[Passkey]:
    """Return a user's passkeys, oldest first."""
    statement = select(Passkey).where(Passkey.user_id == user_id).order_by(Passkey.id)
    return list(session.execute(statement).scalars())


def add_passkey(session: Session, identity: Identity, registration: Registration) -> Passkey:
    """Store a new passkey, or return it if the user has registered it before.

    Args:
        session: the transaction.
        identity: its user, and the device that it is named after.
        registration: the verified registration.

    Raises:
        InvalidPasskey: another user has registered it, or the user has `MAX_PASSKEYS`.
    """
    same = select(Passkey).where(Passkey.credential_id == registration.credential_id)
    known = session.execute(same).scalar_one_or_none()
    if known is not None and (known.user_id, known.public_key) == (identity.user_id, registration.public_key):
        return known  # the response to the first request was lost
    count = select(func.count()).select_from(Passkey).where(Passkey.user_id == identity.user_id)
    if known is not None or session.execute(count).scalar_one() >= MAX_PASSKEYS:
        raise InvalidPasskey
    passkey = Passkey(
        user_id=identity.user_id,
        credential_id=registration.credential_id,
        public_key=registration.public_key,
        sign_count=registration.sign_count,
        name=session.get_one(Device, identity.device_id).shown_name,
    )
    session.add(passkey)
    session.flush()
    return passkey


def remove_passkey(session: Session, user_id: str, passkey_id: str) -> None:
    """Delete a passkey. Devices that signed in with it stay signed in.

    Raises:
        NoSuchPasskey: the user has no such passkey.
    """
    passkey = session.get(Passkey, passkey_id) if is_id(passkey_id) else None
    if passkey is None or passkey.user_id != user_id:
        raise NoSuchPasskey
    session.delete(passkey)


def delete_passkeys(session: Session, user_id: str) -> None:
    """Delete all passkeys of a user."""
    session.execute(delete(Passkey).where(Passkey.user_id == user_id))


def known_passkey(session: Session, credential_id: bytes) -> KnownPasskey:
    """Return what an assertion of this passkey is verified against.

    Raises:
        InvalidCredentials: the passkey is unknown.
    """
    passkey = _find(session, credential_id)
    return KnownPasskey(passkey.user_id, passkey.public_key)


def finish_passkey_sign_in(session: Session, assertion: Assertion, device: NewDevice) -> StartedSession:
    """Sign in on a new device with a verified assertion.

    An assertion works once, except for a request that is repeated with its key: that one gets the same device again.

    Raises:
        InvalidCredentials: the passkey was deleted in the meantime, the assertion is replayed, or its counter shows
            that the authenticator was cloned.
        InvalidDeviceName: the device name is not allowed.
    """
    passkey = _find(session, assertion.credential_id)
    if not _use_up(session, assertion.challenge_hash):
        if earlier_result(session, passkey.user_id, device.request) is None:
            raise InvalidCredentials
        return start_session(session, passkey.user_id, device)
    # WebAuthn 6.1.1: the counter is always zero, or it increases; otherwise the authenticator may have been cloned.
    if max(assertion.sign_count, passkey.sign_count) > 0 and assertion.sign_count <= passkey.sign_count:
        raise InvalidCredentials
    passkey.sign_count, passkey.last_used_at = assertion.sign_count, now()
    return start_session(session, passkey.user_id, device)


def _find(session: Session, credential_id: bytes) -> Passkey:
    same = select(Passkey).where(Passkey.credential_id == credential_id)
    passkey = session.execute(same).scalar_one_or_none()
    if passkey is None:
        raise InvalidCredentials
    return passkey


def _use_up(session: Session, challenge_hash: bytes) -> bool:
    session.execute(delete(UsedChallenge).where(UsedChallenge.expires_at <= now()))
    used = insert_for(session, UsedChallenge).values(
        challenge_hash=challenge_hash, expires_at=now() + timedelta(seconds=2 * CHALLENGE_SECONDS)
    )
    fresh = session.execute(used.on_conflict_do_nothing().returning(UsedChallenge.challenge_hash))
    return fresh.first() is not None
