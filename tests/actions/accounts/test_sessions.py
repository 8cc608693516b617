import pytest

from famichat.accounts.device import NewDevice
from famichat.accounts.errors import InvalidCredentials, InvalidToken
from famichat.accounts.sign_in.session import REUSE_WINDOW
from famichat.actions.accounts.sessions import refresh_session, sign_in, sign_out
from famichat.telemetry.events import DeviceRevoked, Event, SessionStarted
from tests.factories.people import PASSWORD
from tests.support.clock import Clock
from tests.support.services import ADDRESS, RunningServices, identity

DEVICE = NewDevice("A tablet", "tablet")


async def test_a_sign_in_is_emitted_and_its_token_works(running: RunningServices, emitted: list[Event]) -> None:
    started = await sign_in(running.services, "maja", PASSWORD, DEVICE, ADDRESS)

    assert await running.services.identify(started.access_token) == started.identity
    assert emitted[-1] == SessionStarted(user_id=running.home.maja.user_id, device_id=started.identity.device_id)


@pytest.mark.parametrize(("name", "is_known"), [("maja", True), ("maya", False)])
async def test_a_failed_sign_in_names_the_account_to_telemetry_only(
    running: RunningServices, emitted: list[Event], name: str, *, is_known: bool
) -> None:
    with pytest.raises(InvalidCredentials) as refused:
        await sign_in(running.services, name, "not the password", DEVICE, ADDRESS)

    assert refused.value.user_id == (running.home.maja.user_id if is_known else None)
    assert refused.value.details == {}
    assert not any(isinstance(each, SessionStarted) for each in emitted)


async def test_a_stolen_refresh_token_signs_its_device_out(
    running: RunningServices, emitted: list[Event], clock: Clock
) -> None:
    started = await sign_in(running.services, "maja", PASSWORD, DEVICE, ADDRESS)
    successor = await refresh_session(running.services, started.refresh_token, None, ADDRESS)
    renewed = await refresh_session(running.services, successor.refresh_token, None, ADDRESS)
    clock.jump(REUSE_WINDOW)
    user_id, device_id = renewed.identity.user_id, renewed.identity.device_id
    assert device_id == started.identity.device_id

    with pytest.raises(InvalidToken):
        await refresh_session(running.services, started.refresh_token, None, ADDRESS)

    assert emitted[-1] == DeviceRevoked(user_id=user_id, device_id=device_id, cause="refresh_token_reused")
    assert running.closed() == [f"device:{device_id}"]
    assert running.events(user_id) == ["device_revoked"]
    with pytest.raises(InvalidToken):
        await running.services.identify(renewed.access_token)


async def test_a_sign_out_closes_the_device_and_tells_the_others(
    running: RunningServices, emitted: list[Event]
) -> None:
    maja = running.home.maja
    await sign_out(running.services, identity(maja))

    assert emitted[-1] == DeviceRevoked(user_id=maja.user_id, device_id=maja.device_id, cause="signed_out")
    assert running.closed() == [f"device:{maja.device_id}"]
    assert running.events(maja.user_id) == ["device_revoked"]
