"""Oneself."""

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict
from sqlalchemy.orm import Session

from famichat.accounts.notices import Notices, choose_notices, notices_of
from famichat.accounts.user import User, email_of
from famichat.chat.family import families_of
from famichat.endpoint.api.families import FamilyView, family_view
from famichat.endpoint.context import Caller, InContext
from famichat.endpoint.moment import Moment
from famichat.endpoint.strict_route import StrictRoute

router = APIRouter(prefix="/me", tags=["me"], route_class=StrictRoute)


class NoticesView(BaseModel):
    """What others are told of the person: how far messages were read, and the typing of the next one."""

    read: bool
    typing: bool


class MeView(BaseModel):
    """What only the person may see: among it the e-mail address."""

    id: str
    username: str
    email: str | None
    confirmed_at: Moment | None
    last_login_at: Moment | None
    inserted_at: Moment
    device_id: str
    families: list[FamilyView]
    notices: NoticesView


class NewNotices(BaseModel):
    """What is to change; what is left out stays as it is."""

    model_config = ConfigDict(extra="forbid", strict=True)

    read: bool | None = None
    typing: bool | None = None


@router.get("", summary="Who am I?")
async def me(caller: Caller, context: InContext) -> MeView:
    """Say who makes the request, on which device, and in which families."""

    def work(session: Session) -> MeView:
        user = session.get_one(User, caller.user_id)
        return MeView(
            id=user.id,
            username=user.username,
            email=email_of(user, context.vault),
            confirmed_at=user.confirmed_at,
            last_login_at=user.last_login_at,
            inserted_at=user.inserted_at,
            device_id=caller.device_id,
            families=[family_view(each) for each in families_of(session, user.id)],
            notices=_notices_view(notices_of(session, user.id)),
        )

    return await context.database.read(work)


@router.patch("/notices", summary="What others are told of me")
async def patch_notices(body: NewNotices, caller: Caller, context: InContext) -> NoticesView:
    """Choose whether others are told what the caller has read, and that the caller is typing; at once, everywhere."""
    chosen = await context.database.transaction(
        lambda session: choose_notices(session, caller.user_id, read=body.read, typing=body.typing)
    )
    return _notices_view(chosen)


def _notices_view(notices: Notices) -> NoticesView:
    return NoticesView(read=notices.read, typing=notices.typing)
