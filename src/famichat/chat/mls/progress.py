"""How far end-to-end encryption has come on a server, for its metrics and for `famichat doctor`."""

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from famichat.accounts.device import Device
from famichat.accounts.user import User
from famichat.chat.mls.roster import SEEN_WITHIN
from famichat.chat.records.mls import MlsGroup
from famichat.e2ee.device_keys import DeviceKeys
from famichat.storage.base import now


def encrypted_conversations(session: Session) -> int:
    """Return how many conversations have an MLS group."""
    return session.execute(select(func.count()).select_from(MlsGroup)).scalar_one()


def devices_without_keys(session: Session) -> list[tuple[str, Device]]:
    """Return the devices, with the names of their users, that keep conversations from being encrypted.

    These are the signed-in devices that were seen in the last 30 days and have published no keys.
    """
    devices = (
        select(User.username, Device)
        .join(User, User.id == Device.user_id)
        .outerjoin(DeviceKeys, DeviceKeys.device_id == Device.id)
        .where(Device.revoked_at.is_(None), Device.last_seen_at > now() - SEEN_WITHIN, DeviceKeys.device_id.is_(None))
        .order_by(User.username, Device.id)
    )
    return [(row[0], row[1]) for row in session.execute(devices)]
