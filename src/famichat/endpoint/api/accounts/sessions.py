"""Sign in, refresh a session, sign out."""

from typing import Annotated, Self

from fastapi import Response
from pydantic import BaseModel, ConfigDict, Field, model_validator

from famichat.accounts.device import DeviceKind
from famichat.accounts.names.email_address import MAX_EMAIL
from famichat.actions.accounts import sessions
from famichat.endpoint.http.affinity import set_affinity
from famichat.endpoint.http.client_ip import ClientAddress
from famichat.endpoint.http.context import Caller, InContext
from famichat.endpoint.http.strict_route import api_router
from famichat.endpoint.schemas.parameters import IdempotencyKey
from famichat.endpoint.schemas.sessions import DeviceRequest, Password, SessionView, session_view

router = api_router("/sessions", "sessions")


class SignInRequest(DeviceRequest):
    """A username or an e-mail address, and the password."""

    username: Annotated[str, Field(max_length=MAX_EMAIL)] | None = None
    email: Annotated[str, Field(max_length=MAX_EMAIL)] | None = None
    password: Password

    @model_validator(mode="after")
    def _has_one_name(self) -> Self:
        if (self.username is None) == (self.email is None):
            raise ValueError("give a username or an e-mail address")
        return self

    @property
    def name_or_email(self) -> str:
        """The name the account is looked up by."""
        return self.username or self.email or ""


class RefreshRequest(BaseModel):
    """The device's latest refresh token, and its kind if the server does not know it yet."""

    model_config = ConfigDict(extra="forbid")

    refresh_token: Annotated[str, Field(max_length=512)]
    device_kind: DeviceKind | None = None


@router.post("", status_code=201, summary="Sign in")
async def sign_in(
    body: SignInRequest, context: InContext, address: ClientAddress, response: Response, key: IdempotencyKey = None
) -> SessionView:
    """Sign in on a new device. An unknown account and a wrong password get the same response after the same time.

    Raises:
        RateLimited: too many requests from this address.
        TooManyAttempts: too many wrong passwords for this account.
        InvalidCredentials: the account does not exist or the password is wrong.
    """
    device = body.device(key)
    started = await sessions.sign_in(context, body.name_or_email, body.password, device, address)
    await set_affinity(response, context, started.identity.user_id)
    return session_view(started)


@router.post("/refresh", summary="Refresh a session")
async def refresh(body: RefreshRequest, context: InContext, address: ClientAddress, response: Response) -> SessionView:
    """Exchange a refresh token for the next one and a new access token.

    Safe to retry with the same token if the response was lost. Using a token after its successor was used, and more
    than a minute after its own first use, signs the device out: one of the two users stole it.

    Raises:
        RateLimited: too many requests from this address.
        InvalidToken: the token is unknown, expired or superseded, or its device was revoked.
    """
    continued = await sessions.refresh_session(context, body.refresh_token, body.device_kind, address)
    await set_affinity(response, context, continued.identity.user_id)
    return session_view(continued)


@router.delete("/current", status_code=204, summary="Sign out")
async def sign_out(caller: Caller, context: InContext) -> None:
    """Sign this device out: revoke its tokens and close its connections."""
    await sessions.sign_out(context, caller)
