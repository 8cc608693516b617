"""A user's privacy settings: whether other people see read receipts, typing indicators and presence.

All are on by default. A user who turns one off still sees those of other people
(docs/decisions/0006-read-and-typing-notices.md).
"""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from famichat.accounts.user import User
from famichat.storage.prepared import Prepared


@dataclass(frozen=True, slots=True)
class PrivacySettings:
    """What other people see of one user's activity.

    Attributes:
        read_receipts: which messages the user has read.
        typing_indicators: that the user is typing.
        presence: that the user is online.
    """

    read_receipts: bool
    typing_indicators: bool
    presence: bool


def privacy_of(session: Session, user_id: str) -> PrivacySettings:
    """Return a user's privacy settings."""
    [settings] = _SETTINGS.rows(session, user_id=user_id)
    return PrivacySettings(*settings)


def change_privacy(
    session: Session,
    user_id: str,
    *,
    read_receipts: bool | None = None,
    typing_indicators: bool | None = None,
    presence: bool | None = None,
) -> PrivacySettings:
    """Change a user's privacy settings and return the new ones. None keeps a setting."""
    user = session.get_one(User, user_id)
    user.read_notices = user.read_notices if read_receipts is None else read_receipts
    user.typing_notices = user.typing_notices if typing_indicators is None else typing_indicators
    user.presence_notices = user.presence_notices if presence is None else presence
    session.flush()
    return _settings(user)


def _settings(user: User) -> PrivacySettings:
    return PrivacySettings(user.read_notices, user.typing_notices, user.presence_notices)


_SETTINGS: Final = Prepared[bool, bool, bool](
    select(User.read_notices, User.typing_notices, User.presence_notices).where(User.id == bindparam("user_id"))
)
