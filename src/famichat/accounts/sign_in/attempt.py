"""Signing in with a password: two short transactions, with the slow password hash between them.

    attempt = await services.write(begin_sign_in, name, address, index)
    new_hash = await verify_password(attempt.password_hash, password)
    if new_hash is None:
        raise InvalidCredentials
    attempt = replace(attempt, new_hash=new_hash)
    started = await services.write(finish_sign_in, attempt, address, device, index)

Each step does the same for an account that does not exist, so that neither the response nor its time reveals it.
"""

from dataclasses import dataclass

from sqlalchemy.orm import Session

from famichat.accounts.device import NewDevice
from famichat.accounts.errors import InvalidCredentials
from famichat.accounts.names import email_address, username
from famichat.accounts.sign_in.login_throttle import count_attempt, reset_attempts
from famichat.accounts.sign_in.session import StartedSession, start_session
from famichat.accounts.user import User, find_user
from famichat.storage.crypto.vault import BlindIndex


@dataclass(frozen=True, slots=True)
class SignInAttempt:
    """An unverified sign-in attempt.

    Attributes:
        account: the key that attempts are counted by: the user id, or the folded name if the account does not exist.
        user_id: the account; None if it does not exist.
        password_hash: the hash to verify the password against; None if the account does not exist.
        new_hash: the hash to store instead, from `verify_password`; None before.
    """

    account: str
    user_id: str | None
    password_hash: str | None
    new_hash: str | None = None


def begin_sign_in(
    session: Session, name_or_email: str, address: str, index: BlindIndex, *, limited: bool = True
) -> SignInAttempt:
    """Find the account and count the attempt.

    Args:
        session: the transaction.
        name_or_email: a username or an e-mail address, as typed.
        address: the client address.
        index: looks up e-mail addresses, and makes the throttle's keys.
        limited: False counts nothing, for demos and benchmarks.

    Raises:
        TooManyAttempts: too many wrong passwords for this account.
    """
    user = find_user(session, name_or_email, index)
    attempt = (
        SignInAttempt(folded(name_or_email), None, None)
        if user is None
        else SignInAttempt(user.id, user.id, user.password_hash)
    )
    if limited:
        count_attempt(session, index, attempt.account, address)
    return attempt


def finish_sign_in(
    session: Session, attempt: SignInAttempt, address: str, device: NewDevice, index: BlindIndex
) -> StartedSession:
    """Reset the throttle and start a session. Call only after the password was verified.

    Args:
        session: the transaction.
        attempt: from `begin_sign_in`.
        address: the client address, as there.
        device: the device to sign in on.
        index: makes the throttle's keys.

    Raises:
        InvalidCredentials: the account does not exist, or its password was changed in the meantime.
        InvalidDeviceName: the device name is not allowed.
    """
    if attempt.user_id is None:
        raise InvalidCredentials
    reset_attempts(session, index, attempt.account, address)
    started = start_session(session, attempt.user_id, device, attempt.password_hash)
    if attempt.new_hash is not None and attempt.new_hash != attempt.password_hash:
        session.get_one(User, attempt.user_id).password_hash = attempt.new_hash
    return started


def folded(name_or_email: str) -> str:
    """Return the form of a typed name or e-mail address that stands for an account that may not exist."""
    valid = name_or_email.encode(errors="replace").decode()  # an attacker may send an unpaired surrogate
    return email_address.fold(valid) if "@" in valid else username.fold(valid)
