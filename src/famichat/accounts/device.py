"""Devices: the signed-in browsers and programs of a user."""

import unicodedata
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Final, Literal

from sqlalchemy import CheckConstraint, ForeignKey, String, bindparam, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from famichat.accounts.errors import InvalidDeviceName, NoSuchDevice
from famichat.accounts.idempotency import KeyedRequest
from famichat.storage.access_removal import record_revoked_devices
from famichat.storage.base import Base, Created, Id, PrimaryKey, is_id, new_id, now
from famichat.storage.checksum import DAMAGED_NAME, Checked, are_intact
from famichat.storage.prepared import Prepared

MAX_DEVICE_NAME = 64
DeviceKind = Literal["phone", "tablet", "computer"]
"""The kind of a device. Members of the user's conversations see it, so it reveals no more than this."""


class Device(Checked, Base):
    """A signed-in browser or program. A revoked device is kept, because its messages refer to it."""

    __tablename__ = "accounts_devices"
    unchecked: ClassVar = frozenset({"last_seen_at"})
    __table_args__ = (
        CheckConstraint(f"length(name) BETWEEN 1 AND {MAX_DEVICE_NAME}", name="name_length"),
        CheckConstraint("kind IS NULL OR kind IN ('phone', 'tablet', 'computer')", name="kind"),
    )

    id: Mapped[PrimaryKey]
    user_id: Mapped[str] = mapped_column(Id, ForeignKey("accounts_users.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(MAX_DEVICE_NAME))
    kind: Mapped[DeviceKind | None] = mapped_column(String(8))
    created_at: Mapped[Created]
    last_seen_at: Mapped[Created]
    revoked_at: Mapped[datetime | None]

    @property
    def shown_name(self) -> str:
        """The name; a damaged one is not shown."""
        return self.name if are_intact(self) else DAMAGED_NAME


@dataclass(frozen=True, slots=True)
class NewDevice:
    """The device that a client signs in on.

    Attributes:
        name: for the list of devices; only its user and family admins see it.
        kind: what other people see; None if unknown.
        request: the sign-in, if its client repeats it with a key: it then gets the same device again.
    """

    name: str
    kind: DeviceKind | None = None
    request: KeyedRequest | None = None


def add_device(session: Session, user_id: str, name: str, kind: DeviceKind | None = None) -> Device:
    """Add a device to an account.

    Raises:
        InvalidDeviceName: the name is empty, too long, or contains control characters.
    """
    device = Device(id=new_id(), user_id=user_id, name=_checked(name), kind=kind)
    session.add(device)
    session.flush()
    return device


def devices_of(session: Session, user_id: str) -> list[Device]:
    """Return the devices that a user is signed in on, oldest first."""
    statement = select(Device).where(Device.user_id == user_id, Device.revoked_at.is_(None)).order_by(Device.id)
    return list(session.execute(statement).scalars())


def is_signed_in(session: Session, user_id: str, device_id: str) -> bool:
    """Return whether the device belongs to the user and is not revoked."""
    return bool(_SIGNED_IN.rows(session, user_id=user_id, device_id=device_id))


def revoke_device(session: Session, user_id: str, device_id: str) -> None:
    """Revoke one of a user's devices. The caller closes its connections after the commit.

    Raises:
        NoSuchDevice: the user is not signed in on it.
    """
    if device_id not in _revoke(session, user_id, only=device_id):
        raise NoSuchDevice


def revoke_devices(session: Session, user_id: str) -> list[str]:
    """Revoke all of a user's devices and return their ids. The caller closes their connections after the commit."""
    return _revoke(session, user_id)


def revoke_other_devices(session: Session, user_id: str, own_device_id: str) -> list[str]:
    """Revoke all of a user's devices but one, as `revoke_devices`."""
    return _revoke(session, user_id, spared=own_device_id)


def _revoke(session: Session, user_id: str, only: str | None = None, spared: str | None = None) -> list[str]:
    if only is not None and not is_id(only):
        return []
    statement = select(Device).where(Device.user_id == user_id, Device.revoked_at.is_(None)).with_for_update()
    if only is not None:
        statement = statement.where(Device.id == only)
    if spared is not None:
        statement = statement.where(Device.id != spared)
    devices = session.execute(statement).scalars().all()
    for device in devices:
        device.revoked_at = now()
    session.flush()
    revoked = [device.id for device in devices]
    record_revoked_devices(session, user_id, revoked)
    return revoked


def _checked(name: str) -> str:
    if len(name) > 4 * MAX_DEVICE_NAME:
        raise InvalidDeviceName
    shown = unicodedata.normalize("NFC", name).strip()
    if not 1 <= len(shown) <= MAX_DEVICE_NAME or any(unicodedata.category(char)[0] == "C" for char in shown):
        raise InvalidDeviceName
    return shown


_SIGNED_IN: Final = Prepared[str](
    select(Device.id).where(
        Device.id == bindparam("device_id"), Device.user_id == bindparam("user_id"), Device.revoked_at.is_(None)
    )
)
