"""The devices the caller is signed in on."""

from pydantic import BaseModel

from famichat.accounts.device import DeviceKind
from famichat.actions.accounts.devices import list_devices, revoke_device
from famichat.endpoint.http.context import Caller, InContext
from famichat.endpoint.http.strict_route import api_router
from famichat.endpoint.http.timestamp import Timestamp

router = api_router("/devices", "devices")


class DeviceView(BaseModel):
    """A device. `current` marks the caller's own; `last_seen_at` is when it last refreshed its session."""

    id: str
    name: str
    kind: DeviceKind | None
    created_at: Timestamp
    last_seen_at: Timestamp
    current: bool


class DevicesView(BaseModel):
    """All devices of one user."""

    devices: list[DeviceView]


@router.get("", summary="List my devices")
async def devices(caller: Caller, context: InContext) -> DevicesView:
    """List the devices the caller is signed in on, oldest first."""
    found = await list_devices(context, caller)
    return DevicesView(
        devices=[
            DeviceView(
                id=device.id,
                name=device.shown_name,
                kind=device.kind,
                created_at=device.created_at,
                last_seen_at=device.last_seen_at,
                current=device.id == caller.device_id,
            )
            for device in found
        ]
    )


@router.delete("/{device_id}", status_code=204, summary="Sign out a device")
async def revoke(device_id: str, caller: Caller, context: InContext) -> None:
    """Sign out one of the caller's devices: revoke its tokens and close its connections at once.

    Raises:
        NoSuchDevice: the caller has no such device.
    """
    await revoke_device(context, caller, device_id)
