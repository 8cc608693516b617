import pytest

from famichat.accounts.device import NewDevice
from famichat.accounts.errors import InvalidCredentials
from famichat.actions.accounts.passkeys import (
    add_passkey,
    begin_passkey_registration,
    begin_passkey_sign_in,
    list_passkeys,
    remove_passkey,
    sign_in_with_passkey,
)
from famichat.telemetry.events import Event, SessionStarted
from tests.factories.people import PASSWORD
from tests.support.authenticator import Authenticator
from tests.support.services import ADDRESS, PUBLIC_URL, RunningServices, identity


@pytest.fixture
async def key(running: RunningServices) -> Authenticator:
    """Maja's authenticator, with a passkey."""
    made, maja = Authenticator(PUBLIC_URL), identity(running.home.maja)
    options = await begin_passkey_registration(running.services, maja, PASSWORD, ADDRESS)
    await add_passkey(running.services, maja, made.create(options))
    return made


async def test_a_sign_in_with_a_passkey_is_emitted(
    running: RunningServices, key: Authenticator, emitted: list[Event]
) -> None:
    credential = key.get(await begin_passkey_sign_in(running.services, ADDRESS))
    started = await sign_in_with_passkey(running.services, credential, NewDevice("A phone"), ADDRESS)

    assert started.identity.user_id == running.home.maja.user_id
    assert emitted[-1] == SessionStarted(user_id=started.identity.user_id, device_id=started.identity.device_id)


async def test_a_refused_passkey_names_its_account_to_telemetry_only(
    running: RunningServices, key: Authenticator
) -> None:
    credential = key.get(await begin_passkey_sign_in(running.services, ADDRESS))
    credential["response"]["signature"] = credential["response"]["authenticatorData"]

    with pytest.raises(InvalidCredentials) as refused:
        await sign_in_with_passkey(running.services, credential, NewDevice("A phone"), ADDRESS)

    assert (refused.value.user_id, refused.value.details) == (running.home.maja.user_id, {})


async def test_a_passkey_that_was_deleted_is_unknown(running: RunningServices, key: Authenticator) -> None:
    maja = identity(running.home.maja)
    [passkey] = await list_passkeys(running.services, maja)
    await remove_passkey(running.services, maja, passkey.id)

    assert await list_passkeys(running.services, maja) == []
    credential = key.get(await begin_passkey_sign_in(running.services, ADDRESS))
    with pytest.raises(InvalidCredentials) as refused:
        await sign_in_with_passkey(running.services, credential, NewDevice("A phone"), ADDRESS)
    assert refused.value.user_id is None
