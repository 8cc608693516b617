"""The people the caller can see, and their avatars."""

from typing import Any

from pydantic import BaseModel
from starlette.responses import Response

from famichat.actions.accounts.profile import list_people, read_avatar
from famichat.actions.events.payloads import PersonView, person_view
from famichat.endpoint.http.compression import compressible
from famichat.endpoint.http.context import Caller, InContext
from famichat.endpoint.http.strict_route import api_router

router = api_router("/people", "people")

_AVATAR: dict[int | str, dict[str, Any]] = {
    200: {"content": {"image/webp": {"schema": {"type": "string", "format": "binary"}}}}
}


class PeopleView(BaseModel):
    """Everyone who shares a family or a conversation with the caller, including the caller."""

    people: list[PersonView]


@router.get("", summary="List the people I see")
@compressible
async def people(caller: Caller, context: InContext) -> PeopleView:
    """List everyone who shares a family or a conversation with the caller. They see the caller, too."""
    found = await list_people(context, caller)
    return PeopleView(people=[person_view(each) for each in found])


@router.get("/{user_id}/pictures/{picture_id}", summary="Show an avatar", response_class=Response, responses=_AVATAR)
async def picture(user_id: str, picture_id: str, caller: Caller, context: InContext) -> Response:
    """Return a person's avatar to a caller who shares a family or a conversation with them.

    Raises:
        NotFound: the caller does not, or the avatar was replaced or removed.
    """
    image = await read_avatar(context, caller, user_id, picture_id)
    # The HTTP cache would keep the avatar after a sign-out. The client has a cache of its own, which it deletes then.
    headers = {"cache-control": "no-store", "content-security-policy": "sandbox; default-src 'none'"}
    return Response(image, 200, headers, "image/webp")
