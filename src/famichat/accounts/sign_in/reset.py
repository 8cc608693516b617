"""Proving that an e-mail address is one's own, and coming back after a password is forgotten.

Both by a secret that is sent to the address, works once, and is kept as a hash.
"""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from famichat.accounts.audit_log import AuditEvent, record
from famichat.accounts.device import devices_of, revoke_devices
from famichat.accounts.errors import InvalidEmail, InvalidToken
from famichat.accounts.sign_in.passkey import forget_passkeys
from famichat.accounts.sign_in.token import hash_secret, new_secret
from famichat.accounts.user import User, find_user
from famichat.storage.base import now
from famichat.storage.crypto.vault import BlindIndex

RESET_LIFE = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class PasswordReset:
    """Whose password was changed, and the devices that were signed out by it: close what they have open."""

    user_id: str
    device_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ResetRequest:
    """Somebody who may set a new password. The token is told once, here, and is good for an hour."""

    user_id: str
    token: str


def request_confirmation(session: Session, user_id: str) -> str:
    """A secret for the person's address; one that was made before does not work any more.

    Raises:
        InvalidEmail: the person has given no address.
    """
    user = session.get_one(User, user_id)
    if user.email is None:
        raise InvalidEmail
    token = new_secret()
    user.confirmation_token = hash_secret(token)
    return token


def confirm(session: Session, token: str) -> User:
    """The address is the person's own: the secret came back.

    Raises:
        InvalidToken: nobody was sent this one, or it was used.
    """
    same = select(User).where(User.confirmation_token == hash_secret(token))
    user = session.execute(same).scalar_one_or_none()
    if user is None:
        raise InvalidToken
    user.confirmation_token, user.confirmed_at = None, now()
    return user


def request_reset(session: Session, name_or_email: str, index: BlindIndex) -> ResetRequest | None:
    """A secret that lets somebody set a new password; nothing, if nobody is called that.

    Whoever asks must get the same answer in both cases.
    """
    user = find_user(session, name_or_email, index)
    if user is None:
        return None
    token = new_secret()
    user.reset_token, user.reset_token_sent_at = hash_secret(token), now()
    return ResetRequest(user.id, token)


def reset_password(session: Session, token: str, password_hash: str) -> PasswordReset:
    """Set a new password by a secret that was sent out, and sign every device out.

    Raises:
        InvalidToken: nobody was sent this one, it was used, or it is older than an hour.
    """
    same = select(User).where(User.reset_token == hash_secret(token), User.reset_token_sent_at > now() - RESET_LIFE)
    user = session.execute(same).scalar_one_or_none()
    if user is None:
        raise InvalidToken
    return set_password(session, user, password_hash)


def set_password_by_operator(session: Session, user: User, password_hash: str) -> PasswordReset:
    """Change somebody's password, as the operator of the server; the person can read that, device by device."""
    signed_in = devices_of(session, user.id)
    recovered = set_password(session, user, password_hash)
    record(session, AuditEvent("password_reset"), concerning=user.id, by=None)
    for device in signed_in:
        deed = AuditEvent("device_revoked", name=device.name, device_id=device.id)
        record(session, deed, concerning=user.id, by=None)
    return recovered


def set_password(session: Session, user: User, password_hash: str) -> PasswordReset:
    """Change a password: whoever knew the old one is out, on every device, and by every passkey."""
    forget_passkeys(session, user.id)
    user.password_hash = password_hash
    user.reset_token = user.reset_token_sent_at = None
    return PasswordReset(user.id, tuple(revoke_devices(session, user.id)))
