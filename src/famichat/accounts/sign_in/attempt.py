"""Signing in with a password: two short transactions, and the slow part, the hash, between them.

    claim = await database.transaction(lambda session: claim_account(session, name, address, index))
    if not await verify_password(claim.password_hash, password):
        raise InvalidCredentials
    started = await database.transaction(lambda session: admit(session, claim, address, device, index))

Every step is the same for an account that nobody has, so that neither the answer nor its time tells.
"""

from dataclasses import dataclass

from sqlalchemy.orm import Session

from famichat.accounts.device import NewDevice
from famichat.accounts.errors import InvalidCredentials
from famichat.accounts.names import email_address, username
from famichat.accounts.sign_in.login_throttle import count_attempt, reset_attempts
from famichat.accounts.sign_in.session import StartedSession, start_session
from famichat.accounts.user import find_user
from famichat.storage.crypto.vault import BlindIndex


@dataclass(frozen=True, slots=True)
class SignInAttempt:
    """Somebody says to be this person. Nobody has the account, if there is no `user_id`.

    Attributes:
        account: what guesses are counted by.
        user_id: the person.
        password_hash: what the password must match.
    """

    account: str
    user_id: str | None
    password_hash: str | None


def begin_sign_in(
    session: Session, name_or_email: str, address: str, index: BlindIndex, *, limited: bool = True
) -> SignInAttempt:
    """Find the account that somebody wants to sign in to, and count the guess.

    Args:
        session: the transaction.
        name_or_email: as it was typed.
        address: where the guess comes from.
        index: finds e-mail addresses.
        limited: False counts nothing, for demonstrations and benchmarks.

    Raises:
        TooManyGuesses: too many wrong passwords came before.
    """
    user = find_user(session, name_or_email, index)
    claim = (
        SignInAttempt(_folded(name_or_email), None, None)
        if user is None
        else SignInAttempt(user.id, user.id, user.password_hash)
    )
    if limited:
        count_attempt(session, index, claim.account, address)
    return claim


def finish_sign_in(
    session: Session, claim: SignInAttempt, address: str, device: NewDevice, index: BlindIndex
) -> StartedSession:
    """Let in whoever has shown the right password.

    Raises:
        InvalidCredentials: nobody has this account, or its password was changed a moment ago.
        InvalidDeviceName: the device cannot be called that.
    """
    if claim.user_id is None:
        raise InvalidCredentials
    reset_attempts(session, index, claim.account, address)
    return start_session(session, claim.user_id, device, claim.password_hash)


def _folded(name_or_email: str) -> str:
    sound = name_or_email.encode(errors="replace").decode()  # whoever guesses may send half a character
    return email_address.fold(sound) if "@" in sound else username.fold(sound)
