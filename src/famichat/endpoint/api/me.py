"""Oneself."""

from fastapi import APIRouter
from pydantic import BaseModel
from sqlalchemy.orm import Session

from famichat.accounts.user import User, email_of
from famichat.chat.family import families_of
from famichat.endpoint.api.families import FamilyView, family_view
from famichat.endpoint.context import Caller, InContext
from famichat.endpoint.moment import Moment
from famichat.endpoint.strict_route import StrictRoute

router = APIRouter(prefix="/me", tags=["me"], route_class=StrictRoute)


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
        )

    return await context.database.read(work)
