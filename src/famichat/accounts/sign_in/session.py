"""Sessions: a signed-in device stays signed in with a refresh token that changes at each use (RFC 9700, 4.14.2).

The network can lose the response to a refresh, so a retry must not look like a theft. The tokens of a device are
numbered by generation: each refresh issues a token of the next generation. A used token can be used again

- as long as no token of a later generation was used: its client has not received a successor;
- for `REUSE_WINDOW` after its generation was first used: concurrent requests and late retries.

Otherwise two clients use tokens of one session, and one of them is a thief. A retry issues one more token of the next
generation. The first of these that is used ends the others, after the same window.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ForeignKey, Index, LargeBinary, delete, exists, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from famichat.accounts.device import Device, DeviceKind, NewDevice, add_device, is_signed_in, revoke_device
from famichat.accounts.errors import InvalidCredentials, InvalidToken
from famichat.accounts.idempotency import earlier_result, remember_result
from famichat.accounts.profile import Profile, profile_of
from famichat.accounts.sign_in.token import Identity, hash_secret, new_secret
from famichat.accounts.user import User
from famichat.storage.base import Base, Created, Id, PrimaryKey, is_future, now

REFRESH_TOKEN_LIFE = timedelta(days=60)
"""How long a device can be offline before its user must sign in again."""

REUSE_WINDOW = timedelta(seconds=60)
"""How long after its first use a refresh token can be used again although its successor was used."""


class RefreshToken(Base):
    """A refresh token, stored as SHA-256. A used one is kept until it expires: its reuse reveals a theft.

    Attributes:
        generation: 0 for a token from a sign-in, otherwise one more than that of the token it was exchanged for.
        used_at: the first use.
    """

    __tablename__ = "accounts_refresh_tokens"
    __table_args__ = (Index(None, "device_id", "generation"),)

    id: Mapped[PrimaryKey]
    device_id: Mapped[str] = mapped_column(Id, ForeignKey("accounts_devices.id", ondelete="CASCADE"))
    token_hash: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    generation: Mapped[int] = mapped_column(default=0, server_default="0")
    created_at: Mapped[Created]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


@dataclass(frozen=True, slots=True)
class StartedSession:
    """A signed-in device and its refresh token, which is available only here."""

    identity: Identity
    profile: Profile
    refresh_token: str


@dataclass(frozen=True, slots=True)
class ReusedRefreshToken:
    """A refresh token was used by two clients, so it was stolen; the device is revoked.

    A value and not an error, because the revocation must be committed. The caller closes the device's connections and
    raises `InvalidToken`.
    """

    user_id: str
    device_id: str


def start_session(
    session: Session, user_id: str, device: NewDevice, verified_hash: str | None = None
) -> StartedSession:
    """Sign a user in on a new device, or again on the one that an earlier request with the same key added.

    Args:
        session: the transaction.
        user_id: the user.
        device: the device to add.
        verified_hash: the hash that the password was verified against before this transaction; None if the user did not
            sign in with a password.

    Raises:
        InvalidCredentials: the password was changed or the account was deleted in the meantime.
        InvalidDeviceName: the device name is not allowed.
    """
    user = session.get(User, user_id)
    if user is None or user.deleted_at is not None or verified_hash not in {None, user.password_hash}:
        raise InvalidCredentials
    earlier_id = earlier_result(session, user.id, device.request)
    if earlier_id is not None and is_signed_in(session, user.id, earlier_id):
        # The tokens of the lost response are not stored. These are of the newest generation, as after a lost refresh.
        newest = select(func.max(RefreshToken.generation)).where(RefreshToken.device_id == earlier_id)
        return _started(session, user.id, earlier_id, session.execute(newest).scalar_one())
    user.last_login_at = now()
    added = add_device(session, user.id, device.name, device.kind)
    remember_result(session, user.id, device.request, added.id)
    return _started(session, user.id, added.id)


def refresh_session(
    session: Session, token: str, kind: DeviceKind | None = None
) -> StartedSession | ReusedRefreshToken:
    """Exchange a refresh token for the next one. Safe to retry with the same token; see the module.

    Args:
        session: the transaction; it may revoke the device, so it must run between two batches of the journal.
        token: the latest refresh token of the device, or the one before if the response was lost.
        kind: the device kind; None keeps the stored one.

    Raises:
        InvalidToken: the token is unknown or expired, or its device was revoked.
    """
    found, device = _find(session, token)
    if _is_reuse(session, found):
        revoke_device(session, device.user_id, device.id)
        return ReusedRefreshToken(device.user_id, device.id)
    device.last_seen_at = now()
    found.used_at = found.used_at or device.last_seen_at
    device.kind = kind or device.kind
    _forget_expired(session, device.id)
    # A token from the future was issued while the clock was ahead, or the clock is behind now. In the latter case a new
    # expiry time would sign the device out as soon as the clock is right again, so the old one is kept for now.
    expires_at = found.expires_at if is_future(found.created_at) else None
    return _started(session, device.user_id, device.id, found.generation + 1, expires_at)


def signed_in_device(session: Session, token: str) -> Identity:
    """Return the user and device of a refresh token, also of a used one.

    Raises:
        InvalidToken: the token is unknown or expired, or its device was revoked.
    """
    _, device = _find(session, token)
    return Identity(device.user_id, device.id, session.get_one(User, device.user_id).username)


def continue_session(session: Session, token: str) -> StartedSession:
    """Return the session of a refresh token without exchanging it, while nothing can be stored.

    Raises:
        InvalidToken: `refresh_session` would not accept the token.
    """
    found, device = _find(session, token)
    if _is_reuse(session, found):
        raise InvalidToken
    profile = profile_of(session, device.user_id)
    return StartedSession(Identity(device.user_id, device.id, profile.username), profile, token)


def end_session(session: Session, identity: Identity) -> None:
    """Revoke a device. The caller closes its connections after the commit.

    Raises:
        NoSuchDevice: it was already revoked.
    """
    revoke_device(session, identity.user_id, identity.device_id)


def _find(session: Session, token: str) -> tuple[RefreshToken, Device]:
    same = select(RefreshToken).where(RefreshToken.token_hash == hash_secret(token))
    found = session.execute(same).scalar_one_or_none()
    device = session.get(Device, found.device_id) if found is not None else None
    if found is None or device is None or device.revoked_at is not None or found.expires_at <= now():
        raise InvalidToken
    return found, device


def _is_reuse(session: Session, token: RefreshToken) -> bool:
    """Return whether another client has continued the session, so that one of the two must be a thief."""
    of_device = RefreshToken.device_id == token.device_id
    same = of_device & (RefreshToken.generation == token.generation)
    spent_at = session.execute(select(func.min(RefreshToken.used_at)).where(same)).scalar_one()
    if spent_at is None or (now() < spent_at + REUSE_WINDOW and not is_future(spent_at)):
        return False
    later = of_device & (RefreshToken.generation > token.generation) & RefreshToken.used_at.is_not(None)
    return token.used_at is None or bool(session.execute(select(exists().where(later))).scalar_one())


def _started(
    session: Session, user_id: str, device_id: str, generation: int = 0, expires_at: datetime | None = None
) -> StartedSession:
    profile = profile_of(session, user_id)
    token = _new_refresh_token(session, device_id, generation, expires_at or now() + REFRESH_TOKEN_LIFE)
    return StartedSession(Identity(user_id, device_id, profile.username), profile, token)


def _new_refresh_token(session: Session, device_id: str, generation: int, expires_at: datetime) -> str:
    token = new_secret()
    session.add(
        RefreshToken(device_id=device_id, token_hash=hash_secret(token), generation=generation, expires_at=expires_at)
    )
    session.flush()
    return token


def _forget_expired(session: Session, device_id: str) -> None:
    session.execute(delete(RefreshToken).where(RefreshToken.device_id == device_id, RefreshToken.expires_at <= now()))
