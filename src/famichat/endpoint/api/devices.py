"""The devices that one is signed in on."""

from pydantic import BaseModel

from famichat.accounts.device import DeviceKind, devices_of, revoke_device
from famichat.endpoint.api.sessions import announce_revoked
from famichat.endpoint.http.context import Caller, InContext
from famichat.endpoint.http.strict_route import api_router
from famichat.endpoint.http.timestamp import Timestamp

router = api_router("/devices", "devices")


class DeviceView(BaseModel):
    """One device. `current` is the one that asks; `last_seen_at` is when it last refreshed its session."""

    id: str
    name: str
    kind: DeviceKind | None
    created_at: Timestamp
    last_seen_at: Timestamp
    current: bool


class DevicesView(BaseModel):
    """All devices of one person."""

    devices: list[DeviceView]


@router.get("", summary="My devices")
async def devices(caller: Caller, context: InContext) -> DevicesView:
    """List the devices that the caller is signed in on, the oldest first."""
    found = await context.database.read(lambda session: devices_of(session, caller.user_id))
    return DevicesView(
        devices=[
            DeviceView(
                id=device.id,
                name=device.name,
                kind=device.kind,
                created_at=device.created_at,
                last_seen_at=device.last_seen_at,
                current=device.id == caller.device_id,
            )
            for device in found
        ]
    )


@router.delete("/{device_id}", status_code=204, summary="Sign a device out")
async def revoke(device_id: str, caller: Caller, context: InContext) -> None:
    """Sign one of the caller's devices out: its tokens end, and its connections close at once.

    Raises:
        NoSuchDevice: the caller has no such device.
    """
    await context.database.between_batches(lambda session: revoke_device(session, caller.user_id, device_id))
    announce_revoked(context, caller.user_id, device_id, "revoked")
