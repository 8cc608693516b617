"""Register passkeys and sign in with them (WebAuthn Level 3). A password always works as well."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy.orm import Session

from famichat.accounts.device import NewDevice
from famichat.accounts.errors import InvalidCredentials
from famichat.accounts.sign_in import passkey as passkeys
from famichat.accounts.sign_in.credential import Credential, credential_id_of
from famichat.accounts.sign_in.login_throttle import reset_attempts
from famichat.accounts.sign_in.passkey import Passkey, finish_passkey_sign_in, known_passkey, passkeys_of
from famichat.accounts.sign_in.token import Identity, still_signed_in
from famichat.actions.accounts.sessions import DeviceSession, announce_session_started, verify_account_password
from famichat.actions.rate_limit import Address, account_at
from famichat.actions.services import Services


async def list_passkeys(services: Services, actor: Identity) -> list[Passkey]:
    """Return the actor's passkeys, oldest first."""
    return await services.read(passkeys_of, actor.user_id)


async def begin_passkey_registration(
    services: Services, actor: Identity, password: str, address: Address
) -> dict[str, Any]:
    """Return the options for `navigator.credentials.create()`, valid for five minutes.

    The password is required again because a passkey outlasts a session left open.

    Raises:
        RateLimited: too many requests of this device.
        TooManyAttempts: too many wrong passwords for this account.
        InvalidCredentials: the password is wrong.
        PasskeysUnavailable: browsers do not create passkeys for this server's address.
    """
    attempt = await verify_account_password(services, actor.username, password, address, actor)

    def work(session: Session) -> list[bytes]:
        reset_attempts(session, services.index, attempt.account, address)
        return [each.credential_id for each in passkeys_of(session, actor.user_id)]

    known = await services.write(work)
    return (await services.webauthn()).registration_options(actor.user_id, actor.username, known)


async def add_passkey(services: Services, actor: Identity, credential: Credential) -> Passkey:
    """Verify and store the passkey that the browser created.

    Args:
        services: the running server.
        actor: the owner; the passkey is named after the actor's device.
        credential: the result of `PublicKeyCredential.toJSON()`.

    Raises:
        InvalidToken: the device was revoked in the meantime.
        InvalidPasskey: the credential is malformed, expired, already registered, for another site or user, or exceeds
            the number of passkeys per user.
    """
    registration = (await services.webauthn()).verify_registration(actor.user_id, credential)

    def work(session: Session) -> Passkey:
        still_signed_in(session, actor)
        return passkeys.add_passkey(session, actor, registration)

    return await services.write(work)


async def remove_passkey(services: Services, actor: Identity, passkey_id: str) -> None:
    """Delete one of the actor's passkeys. Devices that signed in with it stay signed in.

    Raises:
        NoSuchPasskey: the actor has no such passkey.
    """
    await services.write(passkeys.remove_passkey, actor.user_id, passkey_id)


async def begin_passkey_sign_in(services: Services, address: Address) -> dict[str, Any]:
    """Return the options for `navigator.credentials.get()`, valid for five minutes. They name no user.

    Raises:
        RateLimited: too many requests from this address.
        PasskeysUnavailable: browsers have no passkeys for this server's address.
    """
    services.rate_limits.check("request", address)
    return (await services.webauthn()).assertion_options()


async def sign_in_with_passkey(
    services: Services, credential: Credential, device: NewDevice, address: Address
) -> DeviceSession:
    """Sign in on a new device with a passkey.

    Args:
        services: the running server.
        credential: the result of `PublicKeyCredential.toJSON()`.
        device: the device to add to the account.
        address: the client address, for the rate limits.

    Raises:
        RateLimited: too many requests of this account, or too many invalid ones from this address.
        InvalidCredentials: the passkey is unknown or the assertion does not verify; the reason is not revealed.
        InvalidDeviceName: the device name is not allowed.
    """
    webauthn = await services.webauthn()
    try:
        known = await services.read(known_passkey, credential_id_of(credential))
        with _refusals_name(known.user_id):
            # The counter is compared in the transaction, where a repeated request can be told from a cloned
            # authenticator.
            assertion = webauthn.verify_assertion(credential, known.user_id, known.public_key, sign_count=0)
    except InvalidCredentials:
        await services.rate_limits.check_shared("sign_in", address)
        raise
    await services.rate_limits.check_shared("sign_in", account_at(address, known.user_id))
    with _refusals_name(known.user_id):
        started = await services.write_with_reserve(finish_passkey_sign_in, assertion, device)
    return announce_session_started(services, started)


@contextmanager
def _refusals_name(user_id: str) -> Iterator[None]:
    """Add the account to an InvalidCredentials error, for telemetry."""
    try:
        yield
    except InvalidCredentials:
        raise InvalidCredentials(user_id) from None
