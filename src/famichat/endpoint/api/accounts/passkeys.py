"""Passkeys: register them and sign in with them. A password always works as well."""

from typing import Any

from fastapi import Response
from pydantic import BaseModel, ConfigDict

from famichat.accounts.sign_in.passkey import Passkey
from famichat.actions.accounts import passkeys
from famichat.endpoint.http.affinity import set_affinity
from famichat.endpoint.http.client_ip import ClientAddress
from famichat.endpoint.http.context import Caller, InContext
from famichat.endpoint.http.strict_route import api_router
from famichat.endpoint.http.timestamp import Timestamp
from famichat.endpoint.schemas.parameters import IdempotencyKey
from famichat.endpoint.schemas.sessions import DeviceRequest, PasswordRequest, SessionView, session_view

router = api_router("", "passkeys")


class OptionsView(BaseModel):
    """For `PublicKeyCredential.parseCreationOptionsFromJSON()` or `parseRequestOptionsFromJSON()` in a browser."""

    options: dict[str, Any]


class CredentialRequest(BaseModel):
    """The result of the browser's `PublicKeyCredential.toJSON()`."""

    model_config = ConfigDict(extra="forbid")

    credential: dict[str, Any]


class PasskeySignInRequest(CredentialRequest, DeviceRequest):
    """The result of the browser's `PublicKeyCredential.toJSON()`, and the device to sign in on."""


class PasskeyView(BaseModel):
    """A passkey, as its owner sees it. It is named after the device that created it."""

    id: str
    name: str
    created_at: Timestamp
    last_used_at: Timestamp | None


class PasskeysView(BaseModel):
    """All passkeys of one user."""

    passkeys: list[PasskeyView]


@router.get("/me/passkeys", summary="List my passkeys")
async def list_passkeys(caller: Caller, context: InContext) -> PasskeysView:
    """List the caller's passkeys, oldest first."""
    found = await passkeys.list_passkeys(context, caller)
    return PasskeysView(passkeys=[_view(each) for each in found])


@router.post("/me/passkeys/options", summary="Begin to register a passkey")
async def begin_registration(
    body: PasswordRequest, caller: Caller, context: InContext, address: ClientAddress
) -> OptionsView:
    """Return the options for `navigator.credentials.create()`, valid for five minutes.

    Raises:
        RateLimited, TooManyAttempts: too many passwords were tried.
        InvalidCredentials: the password is wrong.
        PasskeysUnavailable: browsers do not create passkeys for this server's address.
    """
    return OptionsView(options=await passkeys.begin_passkey_registration(context, caller, body.password, address))


@router.post("/me/passkeys", status_code=201, summary="Register a passkey")
async def register(body: CredentialRequest, caller: Caller, context: InContext) -> PasskeyView:
    """Store the passkey that the browser created.

    Raises:
        InvalidPasskey: it is malformed, expired, registered by another user, for another site or user, or one too many.
    """
    return _view(await passkeys.add_passkey(context, caller, body.credential))


@router.delete("/me/passkeys/{passkey_id}", status_code=204, summary="Delete a passkey")
async def remove(passkey_id: str, caller: Caller, context: InContext) -> None:
    """Delete a passkey. Devices that signed in with it stay signed in.

    Raises:
        NoSuchPasskey: the caller has no such passkey.
    """
    await passkeys.remove_passkey(context, caller, passkey_id)


@router.post("/sessions/passkey/options", summary="Begin to sign in with a passkey")
async def begin_sign_in(context: InContext, address: ClientAddress) -> OptionsView:
    """Return the options for `navigator.credentials.get()`, valid for five minutes. They name no user.

    Raises:
        RateLimited: too many requests from this address.
        PasskeysUnavailable: browsers have no passkeys for this server's address.
    """
    return OptionsView(options=await passkeys.begin_passkey_sign_in(context, address))


@router.post("/sessions/passkey", status_code=201, summary="Sign in with a passkey")
async def sign_in(
    body: PasskeySignInRequest,
    context: InContext,
    address: ClientAddress,
    response: Response,
    key: IdempotencyKey = None,
) -> SessionView:
    """Sign in on a new device.

    Raises:
        RateLimited: too many requests from this address.
        InvalidCredentials: the passkey is unknown or does not verify; the reason is not revealed.
    """
    started = await passkeys.sign_in_with_passkey(context, body.credential, body.device(key), address)
    await set_affinity(response, context, started.identity.user_id)
    return session_view(started)


def _view(passkey: Passkey) -> PasskeyView:
    return PasskeyView(
        id=passkey.id, name=passkey.name, created_at=passkey.created_at, last_used_at=passkey.last_used_at
    )
