"""Passkeys: making them, and signing in with one. Beside the password, which always works."""

from typing import Any

from fastapi import Request
from pydantic import BaseModel, ConfigDict
from sqlalchemy.orm import Session

from famichat.accounts.sign_in.login_throttle import reset_attempts
from famichat.accounts.sign_in.passkey import (
    Passkey,
    add_passkey,
    finish_passkey_sign_in,
    known_passkey,
    passkeys_of,
    remove_passkey,
)
from famichat.accounts.sign_in.token import still_signed_in
from famichat.accounts.sign_in.webauthn import credential_id_of
from famichat.endpoint.api.sessions import OnDevice, Password, SessionView, begun, check_password
from famichat.endpoint.http.client_ip import FromAddress
from famichat.endpoint.http.context import Caller, InContext
from famichat.endpoint.http.strict_route import api_router
from famichat.endpoint.http.timestamp import Timestamp

router = api_router("", "passkeys")


class Confirmed(BaseModel):
    """The password once more: a passkey lasts longer than a sign-in that was left open."""

    model_config = ConfigDict(extra="forbid")

    password: Password


class OptionsView(BaseModel):
    """For `PublicKeyCredential.parseCreationOptionsFromJSON()` or `parseRequestOptionsFromJSON()` in a browser."""

    options: dict[str, Any]


class Brought(BaseModel):
    """What the browser's `PublicKeyCredential.toJSON()` says."""

    model_config = ConfigDict(extra="forbid")

    credential: dict[str, Any]


class BroughtToSignIn(Brought, OnDevice):
    """The same, and on which device."""


class PasskeyView(BaseModel):
    """One passkey, as its owner sees it. It is named after the device on which it was made."""

    id: str
    name: str
    created_at: Timestamp
    last_used_at: Timestamp | None


class PasskeysView(BaseModel):
    """All passkeys of one person."""

    passkeys: list[PasskeyView]


@router.get("/me/passkeys", summary="My passkeys")
async def passkeys(caller: Caller, context: InContext) -> PasskeysView:
    """List the caller's passkeys, the oldest first."""
    found = await context.database.read(lambda session: passkeys_of(session, caller.user_id))
    return PasskeysView(passkeys=[_view(each) for each in found])


@router.post("/me/passkeys/options", summary="Begin to make a passkey")
async def begin(
    request: Request, body: Confirmed, caller: Caller, context: InContext, address: FromAddress
) -> OptionsView:
    """Give the options for `navigator.credentials.create()`. They are good for five minutes.

    Raises:
        RateLimited, TooManyGuesses: too many passwords were tried.
        InvalidCredentials: this is not the caller's password.
        PasskeysUnavailable: no browser makes one for the address of this server.
    """
    claim = await check_password(request, context, caller.username, body.password, address)

    def work(session: Session) -> list[bytes]:
        reset_attempts(session, context.index, claim.account, address)
        return [each.credential_id for each in passkeys_of(session, caller.user_id)]

    known = await context.database.transaction(work)
    return OptionsView(options=context.webauthn.registration_options(caller.user_id, caller.username, known))


@router.post("/me/passkeys", status_code=201, summary="Keep a passkey")
async def make(body: Brought, caller: Caller, context: InContext) -> PasskeyView:
    """Keep the passkey that the browser has made.

    Raises:
        InvalidPasskey: it is malformed, for another site or person, too late, here already, or one too many.
    """
    made = context.webauthn.verify_registration(caller.user_id, body.credential)

    def work(session: Session) -> PasskeyView:
        still_signed_in(session, caller)
        return _view(add_passkey(session, caller, made))

    return await context.database.transaction(work)


@router.delete("/me/passkeys/{passkey_id}", status_code=204, summary="Give a passkey up")
async def remove(passkey_id: str, caller: Caller, context: InContext) -> None:
    """Let nobody in with this passkey any more. Devices that are signed in stay so.

    Raises:
        NoSuchPasskey: the caller has no such passkey.
    """
    await context.database.transaction(lambda session: remove_passkey(session, caller.user_id, passkey_id))


@router.post("/sessions/passkey/options", summary="Begin to sign in with a passkey")
async def begin_to_sign_in(context: InContext, address: FromAddress) -> OptionsView:
    """Give the options for `navigator.credentials.get()`. They name nobody, and are good for five minutes.

    Raises:
        RateLimited: too much comes from this address.
        PasskeysUnavailable: no browser has one for the address of this server.
    """
    context.rate_limits.check("sign_in", address)
    return OptionsView(options=context.webauthn.assertion_options())


@router.post("/sessions/passkey", status_code=201, summary="Sign in with a passkey")
async def sign_in(request: Request, body: BroughtToSignIn, context: InContext, address: FromAddress) -> SessionView:
    """Sign in on a new device.

    Raises:
        RateLimited: too much comes from this address.
        InvalidCredentials: nobody has this passkey, or this is not it; one answer for every reason.
    """
    context.rate_limits.check("sign_in", address)
    credential_id = credential_id_of(body.credential)
    known = await context.database.read(lambda session: known_passkey(session, credential_id))
    request.state.user_id = known.user_id  # whose account it was about, for whoever notes a refusal
    proof = context.webauthn.verify_assertion(body.credential, known.user_id, known.public_key, known.sign_count)
    started = await context.database.transaction(lambda session: finish_passkey_sign_in(session, proof, body.device))
    return begun(context, started)


def _view(passkey: Passkey) -> PasskeyView:
    return PasskeyView(
        id=passkey.id, name=passkey.name, created_at=passkey.created_at, last_used_at=passkey.last_used_at
    )
