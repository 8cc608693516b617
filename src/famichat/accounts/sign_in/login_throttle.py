"""Limits password attempts. Counters are in the database, so that a restart does not reset them.

Two limits, applied to existing and unknown accounts alike, so that neither reveals which accounts exist:

- per account and client address: 10 wrong passwords in 15 minutes;
- per account: 100 wrong passwords in an hour, against attackers with many addresses.

A window that begins in the future is over, because the clock was ahead when it began. Signed-in devices are not
affected: they use refresh tokens, which are not counted. An attempt is counted before its password is verified, so
concurrent attempts gain nothing; a correct password takes the attempt back.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import CheckConstraint, LargeBinary, delete, or_
from sqlalchemy.orm import Mapped, Session, mapped_column

from famichat.accounts.errors import TooManyAttempts
from famichat.storage.base import CLOCK_TOLERANCE, Base, is_future, now
from famichat.storage.crypto.vault import BlindIndex


@dataclass(frozen=True, slots=True)
class Budget:
    """The number of attempts allowed in a window."""

    attempts: int
    window: timedelta


FROM_ONE_ADDRESS = Budget(10, timedelta(minutes=15))
FROM_ANYWHERE = Budget(100, timedelta(hours=1))


class LoginAttempts(Base):
    """The attempts in the window that began at `began_at`. The key is a keyed hash of the account and the address."""

    __tablename__ = "accounts_guesses"
    __table_args__ = (CheckConstraint("counted >= 0", name="counted"),)

    key: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    counted: Mapped[int]
    began_at: Mapped[datetime] = mapped_column(index=True)


def count_attempt(session: Session, index: BlindIndex, account: str, address: str) -> None:
    """Count one attempt to sign in to an account.

    Args:
        session: the transaction.
        index: makes the keys.
        account: the user id, or the folded name if the account does not exist.
        address: the client address.

    Raises:
        TooManyAttempts: a limit is reached; nothing was counted.
    """
    started_at = now()
    for key, budget in _budgets(index, account, address):
        attempts = session.get(LoginAttempts, key)
        if attempts is None:
            session.add(LoginAttempts(key=key, counted=1, began_at=started_at))
        elif attempts.began_at + budget.window <= started_at or is_future(attempts.began_at):
            attempts.counted, attempts.began_at = 1, started_at
        elif attempts.counted >= budget.attempts:
            raise TooManyAttempts((attempts.began_at + budget.window - started_at).total_seconds())
        else:
            attempts.counted += 1
    session.flush()


def reset_attempts(session: Session, index: BlindIndex, account: str, address: str) -> None:
    """Take the attempt back after a correct password: clear the address's counter, and decrement the account's.

    Args:
        session: the transaction.
        index: makes the keys.
        account: the user id.
        address: the client address.
    """
    for key, budget in _budgets(index, account, address):
        attempts = session.get(LoginAttempts, key)
        if attempts is not None:
            attempts.counted = 0 if budget is FROM_ONE_ADDRESS else max(0, attempts.counted - 1)
    is_over = or_(
        LoginAttempts.began_at < now() - FROM_ANYWHERE.window, LoginAttempts.began_at > now() + CLOCK_TOLERANCE
    )
    session.execute(delete(LoginAttempts).where(is_over))


def _budgets(index: BlindIndex, account: str, address: str) -> Iterator[tuple[bytes, Budget]]:
    # "guess" is part of stored keys and cannot change.
    yield index.digest("guess", account, address), FROM_ONE_ADDRESS
    yield index.digest("guess", account), FROM_ANYWHERE
