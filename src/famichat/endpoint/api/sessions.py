"""Signing in, staying signed in, signing out."""

from typing import Annotated, Literal, Self

from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field, model_validator

from famichat.accounts.device import DeviceKind, NewDevice
from famichat.accounts.errors import InvalidCredentials, InvalidToken, TooManyAttempts
from famichat.accounts.names.email_address import MAX_EMAIL
from famichat.accounts.sign_in.attempt import SignInAttempt, begin_sign_in, finish_sign_in
from famichat.accounts.sign_in.password import MAX_PASSWORD, verify_password
from famichat.accounts.sign_in.session import ReusedRefreshToken, StartedSession, end_session, refresh_session
from famichat.accounts.sign_in.token import ACCESS_TOKEN_SECONDS
from famichat.actions.rate_limit import Address
from famichat.endpoint.http.client_ip import FromAddress
from famichat.endpoint.http.context import Caller, Context, InContext
from famichat.endpoint.http.strict_route import api_router
from famichat.endpoint.schemas.people import Shown, shown
from famichat.telemetry import emit, events

router = api_router("/sessions", "sessions")

Password = Annotated[str, Field(max_length=MAX_PASSWORD)]
Cause = Literal["signed_out", "revoked", "revoked_by_admin", "refresh_token_reused"]


class OnDevice(BaseModel):
    """On which device: `device_name` helps its person to recognise it later; others are told the `device_kind` only."""

    model_config = ConfigDict(extra="forbid")

    device_name: str = "A device"
    device_kind: DeviceKind | None = None

    @property
    def device(self) -> NewDevice:
        """What is known of the device."""
        return NewDevice(self.device_name, self.device_kind)


class SignIn(OnDevice):
    """Who one is, by name or by e-mail address, and the password."""

    username: Annotated[str, Field(max_length=MAX_EMAIL)] | None = None
    email: Annotated[str, Field(max_length=MAX_EMAIL)] | None = None
    password: Password

    @model_validator(mode="after")
    def _has_one_name(self) -> Self:
        if (self.username is None) == (self.email is None):
            raise ValueError("give a username or an e-mail address")
        return self

    @property
    def name(self) -> str:
        """What the person goes by."""
        return self.username or self.email or ""


class Refresh(BaseModel):
    """The newest refresh token of this device, and what kind of device it is, if it has not said so before."""

    model_config = ConfigDict(extra="forbid")

    refresh_token: Annotated[str, Field(max_length=512)]
    device_kind: DeviceKind | None = None


class UserView(Shown):
    """A person, as that person is shown to others."""

    id: str


class SessionView(BaseModel):
    """A device that is signed in. `expires_in` counts seconds, for the access token; a refresh token works once."""

    access_token: str
    expires_in: int
    refresh_token: str
    user: UserView
    device_id: str


@router.post("", status_code=201, summary="Sign in")
async def sign_in(request: Request, body: SignIn, context: InContext, address: FromAddress) -> SessionView:
    """Sign in on a new device. An unknown name and a wrong password get the same answer, after the same time.

    Raises:
        RateLimited: too much comes from this address.
        TooManyGuesses: too many wrong passwords came for this account.
        InvalidCredentials: no such account, or not its password.
    """
    claim = await check_password(request, context, body.name, body.password, address)
    started = await context.database.transaction(
        lambda session: finish_sign_in(session, claim, address, body.device, context.index)
    )
    return begun(context, started)


@router.post("/refresh", summary="Stay signed in")
async def refresh(body: Refresh, context: InContext, address: FromAddress) -> SessionView:
    """Exchange a refresh token for the next one, and a fresh access token.

    Using one twice signs the device out: one of the two who used it has stolen it, and nobody can tell which.

    Raises:
        RateLimited: too much comes from this address.
        InvalidToken: it is unknown, expired, used already, or its device was revoked.
    """
    context.rate_limits.check("refresh", address)
    renewed = await context.database.between_batches(
        lambda session: refresh_session(session, body.refresh_token, body.device_kind)
    )
    if isinstance(renewed, ReusedRefreshToken):
        announce_revoked(context, renewed.user_id, renewed.device_id, "refresh_token_reused")
        raise InvalidToken
    return session_view(context, renewed)


@router.delete("/current", status_code=204, summary="Sign out")
async def sign_out(caller: Caller, context: InContext) -> None:
    """Sign this device out: its tokens end, and its connections close."""
    await context.database.between_batches(lambda session: end_session(session, caller))
    announce_revoked(context, caller.user_id, caller.device_id, "signed_out")


async def check_password(
    request: Request, context: Context, name: str, password: str, address: Address
) -> SignInAttempt:
    """See whether somebody knows the password of an account, and count it as a guess until `forgive_guesses`.

    Args:
        request: what it is asked for; a refusal is noted there.
        context: the server.
        name: a username or an e-mail address, as it was typed.
        password: as it was typed.
        address: where the guess comes from.

    Raises:
        RateLimited: too much comes from this address.
        TooManyGuesses: too many wrong passwords came for this account.
        InvalidCredentials: no such account, or not its password.
    """
    context.rate_limits.check("sign_in", address)
    limited = context.rate_limits.enabled
    try:
        claim = await context.database.transaction(
            lambda session: begin_sign_in(session, name, address, context.index, limited=limited)
        )
    except TooManyAttempts as fault:
        emit(events.RateLimitThrottled(limit="guesses", retry_in_seconds=fault.retry_in_seconds))
        raise
    if not await verify_password(claim.password_hash, password):
        request.state.user_id = claim.user_id  # whose account it was about, for whoever notes the refusal
        raise InvalidCredentials
    return claim


def begun(context: Context, started: StartedSession) -> SessionView:
    """Say that a device was signed in, and what the device is told of it."""
    emit(events.SessionStarted(user_id=started.identity.user_id, device_id=started.identity.device_id))
    return session_view(context, started)


def announce_revoked(context: Context, user_id: str, device_id: str, cause: Cause) -> None:
    """Say that a device was signed out, and close what it has open."""
    emit(events.DeviceRevoked(user_id=user_id, device_id=device_id, cause=cause))
    context.broadcasts.device_revoked(user_id, device_id)


def session_view(context: Context, started: StartedSession) -> SessionView:
    """A session as its device is told of it, with a fresh access token."""
    identity = started.identity
    return SessionView(
        access_token=context.tokens.issue(identity.user_id, identity.device_id),
        expires_in=ACCESS_TOKEN_SECONDS,
        refresh_token=started.refresh_token,
        user=UserView(id=identity.user_id, **shown(started.profile)),
        device_id=identity.device_id,
    )
