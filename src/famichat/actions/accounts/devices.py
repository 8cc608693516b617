"""List and revoke devices: the user's own and, for a family admin, those of family members."""

from sqlalchemy.orm import Session

from famichat.accounts import device as own_devices
from famichat.accounts.device import Device, devices_of
from famichat.accounts.sign_in.reset import sign_out_everywhere
from famichat.accounts.sign_in.token import Identity
from famichat.actions.services import Services
from famichat.chat.errors import NotFound
from famichat.chat.families.admin import devices_of_member, sign_out_member
from famichat.chat.families.reset_agreement import PendingReset, pending_reset_of
from famichat.telemetry import emit, events


async def list_devices(services: Services, actor: Identity) -> list[Device]:
    """Return the devices the actor is signed in on, oldest first."""
    return await services.read(devices_of, actor.user_id)


async def check_signed_in(services: Services, actor: Identity) -> PendingReset | None:
    """Check that the actor's device is still signed in: a socket was authenticated when it was opened.

    Returns:
        What family admins agree on about the actor's password, which the user can cancel on this device.

    Raises:
        NotFound: the device is signed out.
    """

    def work(session: Session) -> PendingReset | None:
        if not own_devices.is_signed_in(session, actor.user_id, actor.device_id):
            raise NotFound
        return pending_reset_of(session, actor.user_id)

    return await services.read(work)


async def revoke_device(services: Services, actor: Identity, device_id: str) -> None:
    """Sign out one of the actor's devices: revoke its tokens and close its connections.

    Raises:
        NoSuchDevice: the actor has no such device.
    """
    await services.write_between_batches(own_devices.revoke_device, actor.user_id, device_id)
    announce_device_revoked(services, actor.user_id, device_id, "revoked")


async def list_member_devices(services: Services, actor: Identity, family_id: str, user_id: str) -> list[Device]:
    """Return the devices of a family member, oldest first, to a family admin.

    Raises:
        NotFound: the actor or the user is not a member of the family.
        NotAdmin: the actor is not an admin.
    """
    return await services.read(devices_of_member, actor.user_id, family_id, user_id)


async def revoke_member_device(
    services: Services, actor: Identity, family_id: str, user_id: str, device_id: str
) -> None:
    """Sign out a family member's device as a family admin. The member sees it in the account history.

    Raises:
        NotFound: the actor or the user is not a member of the family.
        NotAdmin: the actor is not an admin.
        NoSuchDevice: the user has no such device.
    """
    await services.write_between_batches(sign_out_member, actor.user_id, family_id, user_id, device_id)
    announce_device_revoked(services, user_id, device_id, "revoked_by_admin")


async def sign_out_by_operator(services: Services, user_id: str) -> int:
    """Sign out all devices of a user as the server operator, and return their number.

    The user sees it in the account history.
    """
    device_ids = await services.write_between_batches(sign_out_everywhere, user_id, by=None)
    for device_id in device_ids:
        announce_device_revoked(services, user_id, device_id, "revoked_by_operator")
    return len(device_ids)


def announce_device_revoked(services: Services, user_id: str, device_id: str, cause: events.RevocationCause) -> None:
    """Emit telemetry for a revoked device, close its connections and notify the user's other devices.

    Call after the commit.
    """
    emit(events.DeviceRevoked(user_id=user_id, device_id=device_id, cause=cause))
    services.broadcasts.device_revoked(user_id, device_id)
