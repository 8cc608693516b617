"""The people around somebody, and their pictures."""

from typing import Any

from pydantic import BaseModel
from sqlalchemy.orm import Session
from starlette.responses import Response

from famichat.accounts.profile import avatar_of
from famichat.chat.errors import NotFound
from famichat.chat.families.contacts import people_around, person_for
from famichat.endpoint.http.context import Caller, InContext
from famichat.endpoint.http.strict_route import api_router
from famichat.endpoint.schemas.people import PersonView, person
from famichat.storage.base import is_id

router = api_router("/people", "people")

# A new picture has a new address, so what is at this one may be kept: by whoever fetched it, and by nobody in between.
_FOREVER = "private, max-age=31536000, immutable"
_PICTURE: dict[int | str, dict[str, Any]] = {
    200: {"content": {"image/webp": {"schema": {"type": "string", "format": "binary"}}}}
}


class PeopleView(BaseModel):
    """Everybody who shares a family or a conversation with the caller, the caller among them."""

    people: list[PersonView]


@router.get("", summary="Whom do I see?")
async def people(caller: Caller, context: InContext) -> PeopleView:
    """List everybody who shares a family or a conversation with the caller: they see the caller, too."""
    found = await context.database.read(lambda session: people_around(session, caller.user_id))
    return PeopleView(people=[PersonView(**person(each)) for each in found])


@router.get(
    "/{user_id}/pictures/{picture_id}", summary="A person's picture", response_class=Response, responses=_PICTURE
)
async def picture(user_id: str, picture_id: str, caller: Caller, context: InContext) -> Response:
    """Give the picture that somebody is shown with, to whoever shares a family or a conversation with this person.

    Raises:
        NotFound: the caller does not, or it is another one by now, or was taken away.
    """

    def work(session: Session) -> bytes | None:
        person_for(session, caller.user_id, user_id)
        return avatar_of(session, user_id, picture_id, context.vault) if is_id(picture_id) else None

    found = await context.database.read(work)
    if found is None:
        raise NotFound
    headers = {"cache-control": _FOREVER, "content-security-policy": "sandbox; default-src 'none'"}
    return Response(found, 200, headers, "image/webp")
