"""Confirming an e-mail address, and resetting a forgotten password.

Both use a secret that is sent to the address, works once, and is stored as a hash.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from famichat.accounts.audit_log import AuditEvent, AuditLogEntry, latest_reset_link, record
from famichat.accounts.device import devices_of, revoke_devices, revoke_other_devices
from famichat.accounts.errors import InvalidConfirmationLink, InvalidEmail, InvalidResetLink
from famichat.accounts.sign_in.passkey import delete_passkeys
from famichat.accounts.sign_in.token import hash_secret, new_secret
from famichat.accounts.user import User, find_user
from famichat.storage.base import CLOCK_TOLERANCE, now
from famichat.storage.crypto.vault import BlindIndex

RESET_LIFE = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class PasswordReset:
    """A user whose password was changed, and the devices this signed out. The caller closes their connections."""

    user_id: str
    device_ids: tuple[str, ...]


def request_confirmation(session: Session, user_id: str) -> str:
    """Return a new secret to send to the user's e-mail address. Invalidates an earlier one.

    Raises:
        InvalidEmail: the user has no e-mail address.
    """
    user = session.get_one(User, user_id)
    if user.email is None:
        raise InvalidEmail
    # The table has no column for the time. It is part of the token, whose hash covers it.
    token = f"{int(now().timestamp())}.{new_secret()}"
    user.confirmation_token = hash_secret(token)
    return token


def confirm(session: Session, token: str) -> User:
    """Mark the e-mail address that received this secret as confirmed.

    Raises:
        InvalidConfirmationLink: the secret is unknown, was used or replaced, is older than an hour, or was sent while
            the clock was ahead.
    """
    same = select(User).where(User.confirmation_token == hash_secret(token))
    user = session.execute(same).scalar_one_or_none()
    if user is None or not _is_current(datetime.fromtimestamp(float(token.partition(".")[0]), UTC)):
        raise InvalidConfirmationLink
    user.confirmation_token, user.confirmed_at = None, now()
    return user


def user_to_email(session: Session, name_or_email: str, index: BlindIndex) -> str | None:
    """Return the id of the user who can reset the password by e-mail.

    None if the account does not exist or its address is not confirmed: another person could have typed it by mistake.
    Also None while a link of an admin or the operator is valid, which a stranger could otherwise make invalid.
    """
    user = find_user(session, name_or_email, index)
    if user is None or user.email is None or user.confirmed_at is None:
        return None
    sent_at = user.reset_token_sent_at
    if sent_at is not None and _is_current(sent_at) and latest_reset_link(session, user.id, sent_at) is not None:
        return None
    return user.id


def request_reset(session: Session, user: User) -> str:
    """Return a new secret to send to the user's e-mail address. Invalidates an earlier one."""
    token = new_secret()
    user.reset_token, user.reset_token_sent_at = hash_secret(token), now()
    session.flush()
    return token


def issue_reset_link(
    session: Session, user_id: str, *, by: str | None, family_id: str | None = None, family_name: str | None = None
) -> str:
    """Return a new secret for a link to reset a user's password, with an audit log entry. Replaces an earlier one.

    Args:
        session: the transaction.
        user_id: the user.
        by: the family admin who asks for it; None for the server operator.
        family_id: the family of that admin.
        family_name: its name.
    """
    user = session.get_one(User, user_id)
    token = new_secret()
    user.reset_token, user.reset_token_sent_at = hash_secret(token), now()
    event = AuditEvent("reset_link_created", name=family_name, family_id=family_id)
    record(session, event, concerning=user_id, by=by)
    return token


def withdraw_reset_link(session: Session, user_id: str) -> AuditLogEntry | None:
    """Make a link to reset a user's password invalid.

    Returns:
        The audit log entry about its creation; None if there was no valid link of an admin or the operator.
    """
    user = session.get_one(User, user_id)
    created_at = user.reset_token_sent_at
    user.reset_token = user.reset_token_sent_at = None
    if created_at is None or not _is_current(created_at):
        return None
    return latest_reset_link(session, user_id, created_at)


def reset_password(session: Session, token: str, password_hash: str) -> PasswordReset:
    """Set a new password with a secret from `request_reset` or `issue_reset_link`, and sign out every device.

    Args:
        session: the transaction; it removes access, so it must run between two batches of the journal.
        token: the secret.
        password_hash: from `password.hash_password`.

    Raises:
        InvalidResetLink: see `user_to_reset`.
    """
    return set_password(session, user_to_reset(session, token), password_hash)


def user_to_reset(session: Session, token: str) -> User:
    """Return the user whose password a secret resets.

    Raises:
        InvalidResetLink: the secret is unknown, was already used, is older than an hour, or was sent while the clock
            was ahead.
    """
    is_current = User.reset_token_sent_at.between(now() - RESET_LIFE, now() + CLOCK_TOLERANCE)
    same = select(User).where(User.reset_token == hash_secret(token), is_current)
    user = session.execute(same).scalar_one_or_none()
    if user is None:
        raise InvalidResetLink
    return user


def set_password_by_operator(session: Session, user: User, password_hash: str) -> PasswordReset:
    """Set a user's password as the server operator, with an audit log entry for it and for each signed-out device."""
    record(session, AuditEvent("password_reset"), concerning=user.id, by=None)
    device_ids = sign_out_everywhere(session, user.id, by=None)
    set_password(session, user, password_hash)
    return PasswordReset(user.id, device_ids)


def change_password(
    session: Session, user: User, password_hash: str, *, keep_device_id: str, sign_out_others: bool
) -> tuple[str, ...]:
    """Set a user's own new password, and return the devices that this signed out.

    Args:
        session: the transaction; it may remove access, so it must run between two batches of the journal.
        user: the user.
        password_hash: from `password.hash_password`.
        keep_device_id: the device that the user is on.
        sign_out_others: whether to sign out all other devices and delete the passkeys, for a user who suspects that
            someone else has access.
    """
    user.password_hash = password_hash
    user.reset_token = user.reset_token_sent_at = None
    if not sign_out_others:
        return ()
    delete_passkeys(session, user.id)
    return tuple(revoke_other_devices(session, user.id, keep_device_id))


def set_password(session: Session, user: User, password_hash: str) -> PasswordReset:
    """Set a user's password, sign out every device and delete every passkey."""
    delete_passkeys(session, user.id)
    user.password_hash = password_hash
    user.reset_token = user.reset_token_sent_at = None
    return PasswordReset(user.id, tuple(revoke_devices(session, user.id)))


def sign_out_everywhere(session: Session, user_id: str, *, by: str | None) -> tuple[str, ...]:
    """Revoke all devices of a user, with an audit log entry for each, and return their ids.

    Args:
        session: the transaction; it removes access, so it must run between two batches of the journal.
        user_id: the user.
        by: the user who does it; None for the server operator.
    """
    devices = devices_of(session, user_id)
    revoke_devices(session, user_id)
    for device in devices:
        event = AuditEvent("device_revoked", name=device.shown_name, device_id=device.id)
        record(session, event, concerning=user_id, by=by)
    return tuple(device.id for device in devices)


def _is_current(sent_at: datetime) -> bool:
    return now() - RESET_LIFE <= sent_at <= now() + CLOCK_TOLERANCE
