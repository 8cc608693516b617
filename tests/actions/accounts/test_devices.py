import pytest

from famichat.accounts.errors import NoSuchDevice
from famichat.actions.accounts.audit_log import read_audit_log, read_family_audit_log
from famichat.actions.accounts.devices import list_devices, list_member_devices, revoke_device, revoke_member_device
from famichat.telemetry.events import DeviceRevoked, Event
from tests.support.services import RunningServices, identity


async def test_a_revoked_device_is_disconnected_and_announced(running: RunningServices, emitted: list[Event]) -> None:
    maja = running.home.maja
    [device] = await list_devices(running.services, identity(maja))
    await revoke_device(running.services, identity(maja), device.id)

    assert emitted[-1] == DeviceRevoked(user_id=maja.user_id, device_id=maja.device_id, cause="revoked")
    assert running.closed() == [f"device:{maja.device_id}"]
    assert running.events(maja.user_id) == ["device_revoked"]
    assert await list_devices(running.services, identity(maja)) == []


async def test_a_device_that_does_not_exist_is_not_announced(running: RunningServices, emitted: list[Event]) -> None:
    with pytest.raises(NoSuchDevice):
        await revoke_device(running.services, identity(running.home.maja), running.home.emil.device_id)

    assert running.published == []
    assert not any(isinstance(each, DeviceRevoked) for each in emitted)


async def test_a_device_that_an_admin_revokes_is_closed_and_on_record(
    running: RunningServices, emitted: list[Event]
) -> None:
    home = running.home
    maja, emil = identity(home.maja), identity(home.emil)
    [device] = await list_member_devices(running.services, maja, home.family_id, emil.user_id)
    await revoke_member_device(running.services, maja, home.family_id, emil.user_id, device.id)

    assert emitted[-1] == DeviceRevoked(user_id=emil.user_id, device_id=emil.device_id, cause="revoked_by_admin")
    assert running.closed() == [f"device:{emil.device_id}"]
    assert running.events(emil.user_id) == ["device_revoked"]
    [entry] = (await read_audit_log(running.services, emil, None, None)).entries
    assert (entry.action, entry.by_id, entry.device_id) == ("device_revoked", maja.user_id, device.id)
    [same] = (await read_family_audit_log(running.services, maja, home.family_id, None, 1)).entries
    assert same.id == entry.id
