"""What a person's devices tell others by the way: that a message was read, that somebody is typing, or is here.

All are on until the person switches them off. They say nothing about what that person is told of others: whoever tells
nothing is not punished for it (docs/decisions/0006-read-and-typing-notices.md).
"""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from famichat.accounts.user import User


@dataclass(frozen=True, slots=True)
class PrivacySettings:
    """What others are told of one person: how far messages were read, that one is typing, and that one is here."""

    read: bool
    typing: bool
    presence: bool


def privacy_of(session: Session, user_id: str) -> PrivacySettings:
    """What others are told of somebody."""
    return _of(session.get_one(User, user_id))


def change_privacy(
    session: Session,
    user_id: str,
    *,
    read: bool | None = None,
    typing: bool | None = None,
    presence: bool | None = None,
) -> PrivacySettings:
    """Choose what others are told of oneself, from now on; what is left out stays as it is."""
    user = session.get_one(User, user_id)
    user.read_notices = user.read_notices if read is None else read
    user.typing_notices = user.typing_notices if typing is None else typing
    user.presence_notices = user.presence_notices if presence is None else presence
    session.flush()
    return _of(user)


def discreet_readers(session: Session, user_ids: Collection[str]) -> set[str]:
    """Those among these people of whom others are not told what they have read."""
    if not user_ids:
        return set()
    quiet = select(User.id).where(User.id.in_(user_ids), User.read_notices.is_(False))
    return set(session.execute(quiet).scalars())


def _of(user: User) -> PrivacySettings:
    return PrivacySettings(user.read_notices, user.typing_notices, user.presence_notices)
