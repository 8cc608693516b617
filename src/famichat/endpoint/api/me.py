"""Oneself."""

from typing import Any, Literal

from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from famichat.accounts.errors import InvalidCredentials
from famichat.accounts.privacy import PrivacySettings, change_privacy, privacy_of
from famichat.accounts.profile import profile_of
from famichat.accounts.sign_in.login_throttle import reset_attempts
from famichat.accounts.sign_in.token import still_signed_in
from famichat.accounts.user import User, email_of
from famichat.actions.topics import ConversationTopic
from famichat.chat.account_deletion import AccountDeletion, delete_account, delete_orphans
from famichat.chat.conversations.view import ConversationView, views_by_member
from famichat.chat.families.family import families_of
from famichat.e2ee.errors import EncryptionErrorCode
from famichat.endpoint.api.sessions import Password, check_password
from famichat.endpoint.http.client_ip import FromAddress
from famichat.endpoint.http.context import Caller, InContext
from famichat.endpoint.http.strict_route import api_router
from famichat.endpoint.http.timestamp import Timestamp
from famichat.endpoint.schemas.families import FamilyView, family_view
from famichat.endpoint.schemas.people import Shown, shown
from famichat.storage.crypto.vault import Vault
from famichat.storage.errors import UnsealError
from famichat.telemetry import emit, events

router = api_router("/me", "me")


class NoticesView(BaseModel):
    """What others are told of the person: how far messages were read, the typing of the next one, and being here."""

    read: bool
    typing: bool
    presence: bool


class MeView(Shown):
    """What only the person may see: among it the e-mail address."""

    id: str
    email: str | None
    confirmed_at: Timestamp | None
    last_login_at: Timestamp | None
    inserted_at: Timestamp
    device_id: str
    families: list[FamilyView]
    notices: NoticesView
    error_code: Literal[603] | None = Field(None, description="There only when the stored address does not open.")


class NewNotices(BaseModel):
    """What is to change; what is left out stays as it is."""

    model_config = ConfigDict(extra="forbid", strict=True)

    read: bool | None = None
    typing: bool | None = None
    presence: bool | None = None


class Leaving(BaseModel):
    """The password again: whoever holds a phone that lies about unlocked does not know it."""

    model_config = ConfigDict(extra="forbid")

    password: Password


@router.get("", summary="Who am I?", response_model_exclude_unset=True)
async def me(caller: Caller, context: InContext) -> MeView:
    """Say who makes the request, on which device, and in which families."""

    def work(session: Session) -> MeView:
        still_signed_in(session, caller)
        user = session.get_one(User, caller.user_id)
        return MeView(
            **_email(user, context.vault),
            id=user.id,
            **shown(profile_of(session, user.id)),
            confirmed_at=user.confirmed_at,
            last_login_at=user.last_login_at,
            inserted_at=user.inserted_at,
            device_id=caller.device_id,
            families=[family_view(each) for each in families_of(session, user.id)],
            notices=_notices_view(privacy_of(session, user.id)),
        )

    return await context.database.read(work)


@router.patch("/notices", summary="What others are told of me")
async def patch_notices(body: NewNotices, caller: Caller, context: InContext) -> NoticesView:
    """Choose whether others are told what the caller has read, is typing, and is here; at once, everywhere."""

    def work(session: Session) -> PrivacySettings:
        still_signed_in(session, caller)
        return change_privacy(session, caller.user_id, read=body.read, typing=body.typing, presence=body.presence)

    chosen = await context.database.transaction(work)
    if body.presence is not None:
        context.presence.choose(caller.user_id, discreet=not chosen.presence)
    return _notices_view(chosen)


@router.delete("", status_code=204, summary="Delete my account")
async def delete_me(request: Request, body: Leaving, caller: Caller, context: InContext, address: FromAddress) -> None:
    """Delete the caller's account for good, with everything but what was said in conversations with others.

    Raises:
        RateLimited, TooManyGuesses: too many passwords were tried.
        InvalidCredentials: this is not the caller's password, or it is not any more.
        LastAdmin: a family, or a group, with other people in it would be without an admin.
    """
    claim = await check_password(request, context, caller.username, body.password, address)
    await context.database.transaction(lambda session: reset_attempts(session, context.index, claim.account, address))

    def work(session: Session) -> tuple[AccountDeletion, list[dict[str, ConversationView]]]:
        still_signed_in(session, caller)
        if session.get_one(User, caller.user_id).password_hash != claim.password_hash:
            raise InvalidCredentials
        farewell = delete_account(session, caller.user_id)
        views = [views_by_member(session, each, context.policies, context.vault) for each in farewell.remaining]
        return farewell, views

    farewell, views_of_others = await context.database.between_batches(work)
    context.broadcasts.account_deleted(farewell.user_id, [ConversationTopic(kind, id_) for kind, id_ in farewell.left])
    _emit_farewell(farewell)
    for views in views_of_others:
        context.broadcasts.conversation_updated(views)
    while await context.database.transaction(delete_orphans):
        pass


def _emit_farewell(farewell: AccountDeletion) -> None:
    gone = farewell.user_id
    for kind, id_ in farewell.left:
        if kind == "group":
            emit(events.GroupMemberRemoved(conversation_id=id_, user_id=gone, removed_by_id=gone))
    for family_id in farewell.family_ids:
        emit(events.FamilyMemberRemoved(family_id=family_id, user_id=gone, removed_by_id=gone))
    emit(events.AccountDeleted(user_id=gone))


def _email(user: User, vault: Vault) -> dict[str, Any]:
    """The address; one that does not open any more must not hide the rest."""
    try:
        return {"email": email_of(user, vault)}
    except UnsealError:
        return {"email": None, "error_code": int(EncryptionErrorCode.DECRYPTION_FAILURE)}


def _notices_view(notices: PrivacySettings) -> NoticesView:
    return NoticesView(read=notices.read, typing=notices.typing, presence=notices.presence)
