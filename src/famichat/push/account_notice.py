"""Notifications about an account. They go to all devices of a user, and contain nothing but their kind.

Unlike those of messages, they do not wait for an acknowledgement and are not claimed: what they announce is in the
database, and each client receives it when it joins its `user:` topic.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import select
from sqlalchemy.orm import Session
from typing_extensions import TypedDict  # pydantic needs this TypedDict on Python 3.11

from famichat.accounts.device import Device
from famichat.push.preferences import preferences_of
from famichat.push.subscription import PushSubscription
from famichat.storage.base import now


class AccountPayload(TypedDict):
    """What a device receives: the app shows the rest."""

    kind: Literal["password_reset"]


@dataclass(frozen=True, slots=True)
class AccountNotice:
    """Asks a user to open the app, because of the reset of a password.

    Attributes:
        user_id: the user.
        in_quiet_hours: whether it also goes out in the user's quiet hours.
    """

    user_id: str
    in_quiet_hours: bool

    @property
    def payload(self) -> AccountPayload:
        """What the devices receive."""
        return {"kind": "password_reset"}


def subscriptions_for(session: Session, notice: AccountNotice) -> Sequence[PushSubscription]:
    """Return the subscriptions of the devices that should receive a notification now."""
    if not notice.in_quiet_hours and preferences_of(session, notice.user_id).is_quiet(now()):
        return []
    signed_in = (Device.user_id == notice.user_id) & Device.revoked_at.is_(None)
    query = select(PushSubscription).join(Device, Device.id == PushSubscription.device_id).where(signed_in)
    return session.execute(query.order_by(PushSubscription.device_id)).scalars().all()
