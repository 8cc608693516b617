"""The people around somebody, and their pictures."""

from typing import Any

from pydantic import BaseModel, Field
from sqlalchemy.orm import Session
from starlette.responses import Response

from famichat.accounts.profile import Profile, avatar_of
from famichat.accounts.user import Color
from famichat.chat.errors import NotFound
from famichat.chat.families.contacts import people_around, person_for
from famichat.endpoint.http.context import Caller, InContext
from famichat.endpoint.http.strict_route import api_router
from famichat.storage.base import is_id

router = api_router("/people", "people")

# A new picture has a new address, so what is at this one may be kept: by whoever fetched it, and by nobody in between.
_FOREVER = "private, max-age=31536000, immutable"
_PICTURE: dict[int | str, dict[str, Any]] = {
    200: {"content": {"image/webp": {"schema": {"type": "string", "format": "binary"}}}}
}


class Shown(BaseModel):
    """How somebody is shown to others. Null is what this person has not chosen."""

    username: str
    display_name: str | None = Field(description="What to call this person; if null, by the username.")
    color: Color | None
    picture: str | None = Field(description="Where the picture is: a square WebP, for whoever sees this person.")


class PersonView(Shown):
    """A person, as others see this person."""

    user_id: str


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


def person(profile: Profile) -> dict[str, Any]:
    """A person as `PersonView` shows this person."""
    return {"user_id": profile.user_id, **shown(profile)}


def shown(profile: Profile) -> dict[str, Any]:
    """The fields of `Shown`."""
    picture_id = profile.picture_id
    return {
        "username": profile.username,
        "display_name": profile.display_name,
        "color": profile.color,
        "picture": None if picture_id is None else f"/api/v1/people/{profile.user_id}/pictures/{picture_id}",
    }
