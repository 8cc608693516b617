"""The first run: whoever operates the server lets the first person in."""

import hmac

from pydantic import BaseModel
from sqlalchemy.orm import Session

from famichat.accounts.errors import AlreadySetUp, InvalidSetupCode
from famichat.accounts.sign_in.password import hash_password
from famichat.accounts.sign_in.session import StartedSession, start_session
from famichat.accounts.user import Newcomer
from famichat.chat.families.family import needs_setup
from famichat.chat.families.join import JoinedFamily, set_up
from famichat.endpoint.api.sessions import OnDevice, Password, SessionView, begun
from famichat.endpoint.http.client_ip import FromAddress
from famichat.endpoint.http.context import Context, InContext
from famichat.endpoint.http.strict_route import api_router
from famichat.telemetry import emit, events

router = api_router("/setup", "setup")


class Setup(OnDevice):
    """The code that `serve` printed, the first family, and its first person, who becomes its admin."""

    code: str
    family_name: str
    username: str
    password: Password
    email: str | None = None


class SetupView(BaseModel):
    """Whether the server waits for its first family."""

    needed: bool


class ArrivedView(SessionView):
    """A session, and the family that the person came into."""

    family_id: str


@router.get("", summary="Is the server new?")
async def is_needed(context: InContext) -> SetupView:
    """Say whether the server waits for its first family, so that a client can offer to set it up."""
    return SetupView(needed=await context.database.read(needs_setup))


@router.post("", status_code=201, summary="Set the server up")
async def set_up_server(body: Setup, context: InContext, address: FromAddress) -> ArrivedView:
    """Make the first family and its admin, and sign in. Works once; from then on it answers `already_set_up` (409).

    Raises:
        AlreadySetUp: there is a family already.
        InvalidSetupCode: this is not the code that the server printed.
        AccountsError: the name, the address or the password cannot be used; the code still can.
    """
    context.rate_limits.check("sign_in", address)
    if not await context.database.read(needs_setup):
        raise AlreadySetUp
    _check_code(body.code, context.setup_code)
    newcomer = Newcomer.parse(body.username, body.email)
    password_hash = await hash_password(body.password, newcomer.username.shown)

    def work(session: Session) -> tuple[JoinedFamily, StartedSession]:
        arrival = set_up(session, body.family_name, newcomer, password_hash, context.vault, context.index)
        return arrival, start_session(session, arrival.user_id, body.device)

    arrival, started = await context.database.transaction(work)
    return arrived(context, arrival, started)


def arrived(context: Context, arrival: JoinedFamily, started: StartedSession) -> ArrivedView:
    """Say that somebody came into a family and was signed in, and what the device is told of it."""
    emit(events.FamilyMemberAdded(family_id=arrival.family_id, user_id=arrival.user_id))
    return ArrivedView(**begun(context, started).model_dump(), family_id=arrival.family_id)


def _check_code(given: str, printed: str | None) -> None:
    typed = given.strip().upper().encode()
    if printed is None or not hmac.compare_digest(typed, printed.encode()):
        raise InvalidSetupCode
