"""Marks transactions that take access away, such as a sign-out or the removal of a member.

Such a transaction must run between two batches of the journal (`Database.between_batches`): then no message that is
committed after it is announced to the person or device that lost access. The domain function that deletes the row calls
`mark_access_removed`; the service layer (`actions.services.Services.write`) refuses to commit a marked transaction that
runs beside the journal. A caller can therefore not choose the wrong method unnoticed.
"""

from sqlalchemy.orm import Session

_KEY = "famichat.access_removed"


def mark_access_removed(session: Session) -> None:
    """Record that this transaction takes a membership, a device or an account away."""
    session.info[_KEY] = True


def access_was_removed(session: Session) -> bool:
    """Return whether `mark_access_removed` was called in this transaction."""
    return _KEY in session.info
