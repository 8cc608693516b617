"""First run: the operator creates the first family and its admin."""

from pydantic import BaseModel, Field

from famichat.actions.accounts.setup import NewAccount, needs_setup, set_up_server
from famichat.endpoint.http.client_ip import ClientAddress
from famichat.endpoint.http.context import InContext
from famichat.endpoint.http.strict_route import api_router
from famichat.endpoint.schemas.parameters import IdempotencyKey
from famichat.endpoint.schemas.sessions import (
    DeviceRequest,
    NewMemberSessionView,
    Password,
    new_member_session_view,
)

router = api_router("/setup", "setup")


class SetupRequest(DeviceRequest):
    """The setup code that `serve` printed, the first family, and its first admin."""

    code: str
    family_name: str
    username: str
    password: Password
    email: str | None = None


class SetupView(BaseModel):
    """Whether the server has no family yet, the address that its operator set up, and whether it sends e-mail.

    A web page that the server refuses because of its origin names this address; null if none is set.
    """

    needed: bool
    address: str | None
    email: bool = Field(description="Whether users can reset a forgotten password by e-mail.")


@router.get("", summary="Is setup needed?")
async def is_needed(context: InContext) -> SetupView:
    """Return whether the server has no family yet, so that a client can offer to set it up."""
    return SetupView(needed=await needs_setup(context), address=context.address, email=context.mailer is not None)


@router.post("", status_code=201, summary="Set up the server")
async def set_up(
    body: SetupRequest, context: InContext, address: ClientAddress, key: IdempotencyKey = None
) -> NewMemberSessionView:
    """Create the first family and its admin, and sign in. Works once, then answers `already_set_up` (409).

    The same request can be repeated until the server is restarted.

    Raises:
        AlreadySetUp: a family exists.
        InvalidSetupCode: the code is not the one that the server printed.
        AccountsError: the username, address or password is not allowed; the code stays valid.
    """
    account = NewAccount(body.username, body.password, body.email)
    member = await set_up_server(context, body.code, body.family_name, account, body.device(key), address)
    return new_member_session_view(member.session, member.family_id)
