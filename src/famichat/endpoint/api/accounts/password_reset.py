"""Sets a new password with a link from a family admin or the operator."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from famichat.actions.accounts.reset_links import use_reset_link
from famichat.endpoint.http.client_ip import ClientAddress
from famichat.endpoint.http.context import InContext
from famichat.endpoint.http.strict_route import api_router
from famichat.endpoint.schemas.sessions import Password

router = api_router("/password-reset", "sessions")


class ResetRequest(BaseModel):
    """The token of the link, and the new password."""

    model_config = ConfigDict(extra="forbid")

    token: Annotated[str, Field(max_length=512)]
    new_password: Password


class ResetView(BaseModel):
    """The name to sign in with."""

    username: str


@router.put("", summary="Set a new password with a link")
async def reset(body: ResetRequest, context: InContext, address: ClientAddress) -> ResetView:
    """Set a new password, sign out all devices and delete all passkeys. The link works once.

    Raises:
        RateLimited: too many requests from this address.
        InvalidResetLink: the link is unknown, was used or replaced, or has expired.
        WeakPassword: the password is too easy to guess; the link stays valid.
    """
    return ResetView(username=await use_reset_link(context, body.token, body.new_password, address))
