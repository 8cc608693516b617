"""Invitations: an admin makes one, the one who is invited looks at it and accepts it, once."""

from datetime import timedelta
from typing import Annotated, Self

from fastapi import Depends, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, ConfigDict, Field, model_validator
from sqlalchemy.orm import Session

from famichat.accounts.invite import DEFAULT_LIFE, MAX_LIFE, Invite, open_invites, revoke_invite
from famichat.accounts.sign_in.password import hash_password
from famichat.accounts.sign_in.session import StartedSession, start_session
from famichat.accounts.sign_in.token import still_signed_in
from famichat.accounts.user import Newcomer
from famichat.chat.conversations.view import ConversationView
from famichat.chat.families.family import require_admin
from famichat.chat.families.join import JoinedFamily, accept, accept_as_newcomer, invite, read_invitation
from famichat.chat.families.membership import family_conversation_views
from famichat.chat.records.family import FamilyRole
from famichat.endpoint.api.sessions import OnDevice, Password
from famichat.endpoint.api.setup import ArrivedView, arrived
from famichat.endpoint.http.client_ip import FromAddress
from famichat.endpoint.http.context import Caller, Context, InContext
from famichat.endpoint.http.strict_route import api_router
from famichat.endpoint.http.timestamp import Timestamp
from famichat.telemetry import emit, events

router = api_router("", "invites")

_optional_bearer = HTTPBearer(auto_error=False, description="Somebody who has an account already.")
Bearer = Annotated[HTTPAuthorizationCredentials | None, Depends(_optional_bearer)]


class NewInvite(BaseModel):
    """What the one who is invited becomes, and for how many seconds the invitation is good."""

    model_config = ConfigDict(extra="forbid", strict=True)

    role: FamilyRole = "member"
    expires_in: Annotated[int, Field(ge=1, le=int(MAX_LIFE.total_seconds()))] = int(DEFAULT_LIFE.total_seconds())


class InviteView(BaseModel):
    """An invitation that can still be accepted, as the family's admins see it."""

    id: str
    family_id: str
    role: FamilyRole
    created_by_id: str | None
    created_at: Timestamp
    expires_at: Timestamp


class IssuedView(InviteView):
    """A new invitation. Its token, and the link that holds it, are told once: here."""

    token: str
    url: str


class InvitesView(BaseModel):
    """The invitations into one family that can still be accepted."""

    invites: list[InviteView]


class InvitationView(BaseModel):
    """What whoever holds an invitation may know before accepting it."""

    family_name: str
    role: FamilyRole
    expires_at: Timestamp


class Acceptance(OnDevice):
    """The account to make; empty, with a bearer token, to come with the account that one has."""

    username: str | None = None
    password: Password | None = None
    email: str | None = None

    @model_validator(mode="after")
    def _has_both_or_none(self) -> Self:
        if (self.username is None) != (self.password is None):
            raise ValueError("a new account needs a username and a password")
        return self


class JoinedView(BaseModel):
    """The family that somebody with an account came into. `joined` is false for who belonged to it already."""

    family_id: str
    joined: bool


@router.post("/families/{family_id}/invites", status_code=201, summary="Invite somebody")
async def create(family_id: str, caller: Caller, context: InContext, body: NewInvite | None = None) -> IssuedView:
    """Make an invitation for one person.

    Raises:
        NotFound: the caller does not belong to the family.
        NotAdmin: only an admin invites.
    """
    context.rate_limits.check("invite", caller)
    wanted = body or NewInvite()
    issued = await context.database.transaction(
        lambda session: invite(session, caller.user_id, family_id, wanted.role, timedelta(seconds=wanted.expires_in))
    )
    view = _invite_view(issued.invite)
    emit(events.InviteCreated(family_id=family_id, invite_id=view.id, role=view.role, created_by_id=caller.user_id))
    return IssuedView(**view.model_dump(), token=issued.token, url=f"{context.public_url}/invite#{issued.token}")


@router.get("/families/{family_id}/invites", summary="Open invitations")
async def list_open(family_id: str, caller: Caller, context: InContext) -> InvitesView:
    """List the invitations into a family that can still be accepted, without their tokens.

    Raises:
        NotFound: the caller does not belong to the family.
        NotAdmin: only an admin sees them.
    """

    def work(session: Session) -> list[Invite]:
        require_admin(session, family_id, caller.user_id)
        return open_invites(session, family_id)

    return InvitesView(invites=[_invite_view(each) for each in await context.database.read(work)])


@router.delete("/families/{family_id}/invites/{invite_id}", status_code=204, summary="Take an invitation back")
async def revoke(family_id: str, invite_id: str, caller: Caller, context: InContext) -> None:
    """Take an invitation back: its link works no more.

    Raises:
        NotFound: the caller does not belong to the family.
        NotAdmin: only an admin takes it back.
        InvalidInvite: there is none of this id that could still be accepted.
    """

    def work(session: Session) -> None:
        require_admin(session, family_id, caller.user_id)
        revoke_invite(session, family_id, invite_id)

    await context.database.transaction(work)


@router.get("/invites/{token}", summary="Look at an invitation")
async def look(token: str, context: InContext, address: FromAddress) -> InvitationView:
    """Say what an invitation is for, to whoever holds it.

    Raises:
        InvalidInvite: it cannot be accepted any more, or never could.
    """
    context.rate_limits.check("invite", address)
    found = await context.database.read(lambda session: read_invitation(session, token))
    return InvitationView(family_name=found.family_name, role=found.role, expires_at=found.expires_at)


@router.post(
    "/invites/{token}/accept",
    status_code=201,
    summary="Accept an invitation",
    responses={200: {"model": JoinedView, "description": "Came with the account that one has"}},
    openapi_extra={"security": [{}, {"HTTPBearer": []}]},
)
async def accept_invitation(
    token: str,
    context: InContext,
    address: FromAddress,
    bearer: Bearer,
    response: Response,
    body: Acceptance | None = None,
) -> ArrivedView | JoinedView:
    """Join a family, once: with a new account, which is signed in (201), or with the account that one has (200).

    Raises:
        InvalidInvite: the invitation cannot be accepted any more.
        InvalidToken: there is neither an account to make nor a valid bearer token.
        AccountsError: the name, the address or the password cannot be used; the invitation still can.
    """
    context.rate_limits.check("invite", address)
    if body is not None and body.username is not None and body.password is not None:
        return await _arrive(context, token, body, body.username, body.password)
    caller = await context.identify(bearer.credentials if bearer else None)

    def work(session: Session) -> tuple[JoinedFamily, dict[str, ConversationView] | None]:
        still_signed_in(session, caller)
        arrival = accept(session, token, caller.user_id)
        if not arrival.joined:
            return arrival, None
        return arrival, family_conversation_views(session, arrival.family_id, context.policies, context.vault)

    arrival, views = await context.database.transaction(work)
    if arrival.joined:
        emit(events.FamilyMemberAdded(family_id=arrival.family_id, user_id=arrival.user_id))
    if views is not None:
        context.broadcasts.joined(arrival.user_id, views)
    response.status_code = 200
    return JoinedView(family_id=arrival.family_id, joined=arrival.joined)


async def _arrive(context: Context, token: str, body: Acceptance, username: str, password: str) -> ArrivedView:
    newcomer = Newcomer.parse(username, body.email)
    await context.database.read(lambda session: read_invitation(session, token))  # before the work of hashing
    password_hash = await hash_password(password, newcomer.username.shown)

    def work(session: Session) -> tuple[JoinedFamily, StartedSession, dict[str, ConversationView] | None]:
        arrival = accept_as_newcomer(session, token, newcomer, password_hash, context.vault, context.index)
        started = start_session(session, arrival.user_id, body.device)
        return arrival, started, family_conversation_views(session, arrival.family_id, context.policies, context.vault)

    arrival, started, views = await context.database.transaction(work)
    if views is not None:
        context.broadcasts.joined(arrival.user_id, views)
    return arrived(context, arrival, started)


def _invite_view(found: Invite) -> InviteView:
    return InviteView(
        id=found.id,
        family_id=found.family_id,
        role=found.role,
        created_by_id=found.created_by_id,
        created_at=found.created_at,
        expires_at=found.expires_at,
    )
