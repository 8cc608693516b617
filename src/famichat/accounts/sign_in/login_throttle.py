"""How often somebody may guess a password. Kept in the database, so that a restart gives no new guesses.

Two budgets, both for accounts that exist and for those that do not, so that neither tells which is which:

- one account from one address: 10 wrong passwords in 15 minutes;
- one account from anywhere: 100 in an hour, for whoever has many addresses.

Whoever is signed in already stays so, whatever a stranger does: a device comes back by its refresh token, which nobody
counts. A guess is counted before it is checked, so a thousand at once are no better than a thousand in a row; the
right password gives it back.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import CheckConstraint, LargeBinary, delete
from sqlalchemy.orm import Mapped, Session, mapped_column

from famichat.accounts.errors import TooManyAttempts
from famichat.storage.base import Base, now
from famichat.storage.crypto.vault import BlindIndex


@dataclass(frozen=True, slots=True)
class Budget:
    """So many guesses in such a time."""

    guesses: int
    window: timedelta


FROM_ONE_ADDRESS = Budget(10, timedelta(minutes=15))
FROM_ANYWHERE = Budget(100, timedelta(hours=1))


class LoginAttempts(Base):
    """What was guessed in the window that began at `began_at`. The key tells neither the account nor the address."""

    __tablename__ = "accounts_guesses"
    __table_args__ = (CheckConstraint("counted >= 0", name="counted"),)

    key: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    counted: Mapped[int]
    began_at: Mapped[datetime] = mapped_column(index=True)


def count_attempt(session: Session, index: BlindIndex, account: str, address: str) -> None:
    """Count one guess at an account.

    Args:
        session: the transaction.
        index: makes the keys.
        account: the id of the account; the folded name that was typed, if nobody has it.
        address: where the guess came from.

    Raises:
        TooManyGuesses: it is one too many; nothing was counted.
    """
    moment = now()
    for key, budget in _budgets(index, account, address):
        guesses = session.get(LoginAttempts, key)
        if guesses is None:
            session.add(LoginAttempts(key=key, counted=1, began_at=moment))
        elif guesses.began_at + budget.window <= moment:
            guesses.counted, guesses.began_at = 1, moment
        elif guesses.counted >= budget.guesses:
            raise TooManyAttempts((guesses.began_at + budget.window - moment).total_seconds())
        else:
            guesses.counted += 1
    session.flush()


def reset_attempts(session: Session, index: BlindIndex, account: str, address: str) -> None:
    """The password was right: start afresh from this address, and give the guess back to the account."""
    for key, budget in _budgets(index, account, address):
        guesses = session.get(LoginAttempts, key)
        if guesses is not None:
            guesses.counted = 0 if budget is FROM_ONE_ADDRESS else max(0, guesses.counted - 1)
    session.execute(delete(LoginAttempts).where(LoginAttempts.began_at < now() - FROM_ANYWHERE.window))


def _budgets(index: BlindIndex, account: str, address: str) -> Iterator[tuple[bytes, Budget]]:
    yield index.digest("guess", account, address), FROM_ONE_ADDRESS
    yield index.digest("guess", account), FROM_ANYWHERE
