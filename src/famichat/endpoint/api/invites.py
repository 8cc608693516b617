"""Invites: an admin creates one, and the invited person previews and accepts it, once."""

from datetime import timedelta
from typing import Annotated, Any, Self

from fastapi import Depends, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, ConfigDict, Field, model_validator

from famichat.accounts.invite import DEFAULT_LIFE, MAX_LIFE, Invite
from famichat.actions.accounts import invites
from famichat.actions.accounts.setup import NewAccount
from famichat.actions.rate_limit import Address
from famichat.chat.records.family import FamilyRole
from famichat.endpoint.http.client_ip import ClientAddress
from famichat.endpoint.http.context import Caller, Context, InContext
from famichat.endpoint.http.strict_route import api_router
from famichat.endpoint.http.timestamp import Timestamp
from famichat.endpoint.schemas.parameters import IdempotencyKey
from famichat.endpoint.schemas.sessions import (
    DeviceRequest,
    NewMemberSessionView,
    Password,
    new_member_session_view,
)

router = api_router("", "invites")

_optional_bearer = HTTPBearer(auto_error=False, description="The access token of an existing account.")
Bearer = Annotated[HTTPAuthorizationCredentials | None, Depends(_optional_bearer)]


class InviteRequest(BaseModel):
    """The role of the invited person, and the invite's lifetime in seconds."""

    model_config = ConfigDict(extra="forbid", strict=True)

    role: FamilyRole = "member"
    expires_in: Annotated[int, Field(ge=1, le=int(MAX_LIFE.total_seconds()))] = int(DEFAULT_LIFE.total_seconds())


class InviteView(BaseModel):
    """An open invite, as family admins see it."""

    id: str
    family_id: str
    role: FamilyRole
    created_by_id: str | None
    created_at: Timestamp
    expires_at: Timestamp


class NewInviteView(InviteView):
    """A new invite. Its token, and the link that contains it, are returned only here."""

    token: str
    url: str


class InvitesView(BaseModel):
    """The open invites into one family."""

    invites: list[InviteView]


class InvitationView(BaseModel):
    """An invite, as anyone with its link sees it."""

    family_name: str
    role: FamilyRole
    expires_at: Timestamp


class AcceptRequest(DeviceRequest):
    """The account to create; empty, with an access token, to join with an existing account."""

    username: str | None = None
    password: Password | None = None
    email: str | None = None

    @model_validator(mode="after")
    def _has_both_or_none(self) -> Self:
        if (self.username is None) != (self.password is None):
            raise ValueError("a new account needs a username and a password")
        return self

    @property
    def account(self) -> NewAccount | None:
        """The account to create, if any."""
        if self.username is None or self.password is None:
            return None
        return NewAccount(self.username, self.password, self.email)


class InviteToken(BaseModel):
    """The token of an invite's link."""

    model_config = ConfigDict(extra="forbid")

    token: str


class AcceptWithTokenRequest(AcceptRequest):
    """The token of an invite's link, and the account to create, if any."""

    token: str


class JoinedView(BaseModel):
    """The family that an existing account joined. `joined` is false if it was a member already."""

    family_id: str
    joined: bool


@router.post("/families/{family_id}/invites", status_code=201, summary="Create an invite")
async def create(
    family_id: str,
    caller: Caller,
    context: InContext,
    body: InviteRequest | None = None,
    key: IdempotencyKey = None,
) -> NewInviteView:
    """Create an invite for one person. A repeated request returns it with a new token; the former one is invalid.

    Raises:
        NotFound: the caller is not a member of the family.
        NotAdmin: the caller is not an admin.
    """
    request = body or InviteRequest()
    life = timedelta(seconds=request.expires_in)
    created = await invites.create_invite(context, caller, family_id, request.role, life, key)
    return NewInviteView(**_invite_view(created.invite).model_dump(), token=created.token, url=created.url)


@router.get("/families/{family_id}/invites", summary="List open invites")
async def list_open(family_id: str, caller: Caller, context: InContext) -> InvitesView:
    """List the invites into a family that can still be accepted, without their tokens.

    Raises:
        NotFound: the caller is not a member of the family.
        NotAdmin: the caller is not an admin.
    """
    found = await invites.list_invites(context, caller, family_id)
    return InvitesView(invites=[_invite_view(each) for each in found])


@router.delete("/families/{family_id}/invites/{invite_id}", status_code=204, summary="Revoke an invite")
async def revoke(family_id: str, invite_id: str, caller: Caller, context: InContext) -> None:
    """Revoke an invite: its link stops working.

    Raises:
        NotFound: the caller is not a member of the family.
        NotAdmin: the caller is not an admin.
        InvalidInvite: the family has no open invite with this id.
    """
    await invites.revoke_invite(context, caller, family_id, invite_id)


@router.post("/invites/preview", summary="Preview an invite")
async def preview(body: InviteToken, context: InContext, address: ClientAddress) -> InvitationView:
    """Return what an invite is for, to anyone who has its link. The token is in the body, because proxies log paths.

    Raises:
        InvalidInvite: the invite does not exist or can no longer be accepted.
    """
    return await _preview(body.token, context, address)


@router.get("/invites/{token}", summary="Preview an invite (old)")
async def preview_by_path(token: str, context: InContext, address: ClientAddress) -> InvitationView:
    """As `POST /invites/preview`, for older clients. Proxies may log the token.

    Raises:
        InvalidInvite: the invite does not exist or can no longer be accepted.
    """
    return await _preview(token, context, address)


async def _preview(token: str, context: Context, address: Address) -> InvitationView:
    found = await invites.preview_invite(context, token, address)
    return InvitationView(family_name=found.family_name, role=found.role, expires_at=found.expires_at)


_ACCEPT: dict[str, Any] = {
    "status_code": 201,
    "responses": {200: {"model": JoinedView, "description": "An existing account joined the family"}},
    "openapi_extra": {"security": [{}, {"HTTPBearer": []}]},
}


@router.post("/invites/accept", summary="Accept an invite", **_ACCEPT)
async def accept(
    body: AcceptWithTokenRequest,
    context: InContext,
    address: ClientAddress,
    bearer: Bearer,
    response: Response,
    key: IdempotencyKey = None,
) -> NewMemberSessionView | JoinedView:
    """Join a family, once: with a new account, which is signed in (201), or with an existing account (200).

    The user who has accepted the invite can repeat the request for a day.

    Raises:
        InvalidInvite: the invite can no longer be accepted.
        Unauthorized: the request has neither a new account nor an access token.
        InvalidToken: the access token is not valid.
        AccountsError: the username, address or password is not allowed; the invite stays valid.
    """
    return await _accept(body.token, context, address, bearer, response, body, key)


@router.post("/invites/{token}/accept", summary="Accept an invite (old)", **_ACCEPT)
async def accept_by_path(
    token: str,
    context: InContext,
    address: ClientAddress,
    bearer: Bearer,
    response: Response,
    body: AcceptRequest | None = None,
    key: IdempotencyKey = None,
) -> NewMemberSessionView | JoinedView:
    """As `POST /invites/accept`, for older clients. Proxies may log the token.

    Raises:
        InvalidInvite: the invite can no longer be accepted.
        Unauthorized: the request has neither a new account nor an access token.
        InvalidToken: the access token is not valid.
        AccountsError: the username, address or password is not allowed; the invite stays valid.
    """
    return await _accept(token, context, address, bearer, response, body, key)


async def _accept(
    token: str,
    context: Context,
    address: Address,
    bearer: HTTPAuthorizationCredentials | None,
    response: Response,
    body: AcceptRequest | None,
    key: str | None,
) -> NewMemberSessionView | JoinedView:
    account = None if body is None else body.account
    if body is not None and account is not None:
        member = await invites.accept_invite_as_new_user(context, token, account, body.device(key), address)
        return new_member_session_view(member.session, member.family_id)
    joined = await invites.accept_invite(context, bearer.credentials if bearer else None, token, address)
    response.status_code = 200
    return JoinedView(family_id=joined.family_id, joined=joined.joined)


def _invite_view(found: Invite) -> InviteView:
    return InviteView.model_validate(found, from_attributes=True)
