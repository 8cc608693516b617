"""A session: what lets a device come back without a password, by a refresh token that changes at each use."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ForeignKey, LargeBinary, delete, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from famichat.accounts.device import Device, DeviceKind, NewDevice, add_device, revoke_device
from famichat.accounts.errors import InvalidCredentials, InvalidToken
from famichat.accounts.profile import Profile, profile_of
from famichat.accounts.sign_in.token import Identity, hash_secret, new_secret
from famichat.accounts.user import User
from famichat.storage.base import Base, Created, Id, PrimaryKey, now

REFRESH_TOKEN_LIFE = timedelta(days=60)
"""How long a device may stay away before it is asked for the password again."""


class RefreshToken(Base):
    """One refresh token, as its SHA-256. A used one is kept until it expires: seeing it again betrays a theft."""

    __tablename__ = "accounts_refresh_tokens"

    id: Mapped[PrimaryKey]
    device_id: Mapped[str] = mapped_column(Id, ForeignKey("accounts_devices.id", ondelete="CASCADE"), index=True)
    token_hash: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    created_at: Mapped[Created]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


@dataclass(frozen=True, slots=True)
class StartedSession:
    """A device that is signed in, and the refresh token that keeps it so. The token is told once, here."""

    identity: Identity
    profile: Profile
    refresh_token: str


@dataclass(frozen=True, slots=True)
class ReusedRefreshToken:
    """A refresh token came twice: either a thief has it, or its owner came after the thief. The device is signed out.

    A value and not an error, because the revocation must be committed. Close what the device has open, then answer
    `InvalidToken`.
    """

    user_id: str
    device_id: str


def start_session(
    session: Session, user_id: str, device: NewDevice, verified_hash: str | None = None
) -> StartedSession:
    """Sign a person in on a new device.

    Args:
        session: the transaction.
        user_id: the person.
        device: what is known of it.
        verified_hash: the password hash that the password was verified against, outside of this transaction.

    Raises:
        InvalidCredentials: the password was changed meanwhile, or the account is gone.
        InvalidDeviceName: the device cannot be called that.
    """
    user = session.get(User, user_id)
    if user is None or user.deleted_at is not None or verified_hash not in {None, user.password_hash}:
        raise InvalidCredentials
    user.last_login_at = now()
    added = add_device(session, user.id, device.name, device.kind)
    return _started(session, user.id, added.id)


def refresh_session(
    session: Session, token: str, kind: DeviceKind | None = None
) -> StartedSession | ReusedRefreshToken:
    """Exchange a refresh token for the next one.

    Args:
        session: the transaction.
        token: the newest one of the device.
        kind: what the device is; if it does not say, that stays as it was.

    Raises:
        InvalidToken: there is no such token, it is expired, or its device was revoked.
    """
    same = select(RefreshToken).where(RefreshToken.token_hash == hash_secret(token))
    found = session.execute(same).scalar_one_or_none()
    device = session.get(Device, found.device_id) if found is not None else None
    if found is None or device is None or device.revoked_at is not None or found.expires_at <= now():
        raise InvalidToken
    if found.used_at is not None:
        revoke_device(session, device.user_id, device.id)
        return ReusedRefreshToken(device.user_id, device.id)
    found.used_at = device.last_seen_at = now()
    device.kind = kind or device.kind
    _forget_expired(session, device.id)
    return _started(session, device.user_id, device.id)


def end_session(session: Session, identity: Identity) -> None:
    """Sign a device out. Close what it has open after the commit.

    Raises:
        NoSuchDevice: it was signed out already.
    """
    revoke_device(session, identity.user_id, identity.device_id)


def _started(session: Session, user_id: str, device_id: str) -> StartedSession:
    profile = profile_of(session, user_id)
    return StartedSession(
        Identity(user_id, device_id, profile.username), profile, _new_refresh_token(session, device_id)
    )


def _new_refresh_token(session: Session, device_id: str) -> str:
    token = new_secret()
    session.add(RefreshToken(device_id=device_id, token_hash=hash_secret(token), expires_at=now() + REFRESH_TOKEN_LIFE))
    session.flush()
    return token


def _forget_expired(session: Session, device_id: str) -> None:
    session.execute(delete(RefreshToken).where(RefreshToken.device_id == device_id, RefreshToken.expires_at <= now()))
