"""How the caller is shown to others: name, colour and picture."""

from collections.abc import Callable

from fastapi import Request
from pydantic import BaseModel, ConfigDict
from sqlalchemy.orm import Session

from famichat.accounts.names.display_name import parse_display_name
from famichat.accounts.profile import ProfileChange, ProfileResult, change_profile, remove_avatar, set_avatar
from famichat.accounts.sign_in.token import Identity, still_signed_in
from famichat.accounts.user import Color
from famichat.chat.families.contacts import people_around
from famichat.endpoint.http.context import Caller, Context, InContext
from famichat.endpoint.http.strict_route import api_router
from famichat.endpoint.schemas.people import PersonView, person
from famichat.telemetry import emit, events

router = api_router("/me", "me")

MAX_PICTURE_BYTES = 8 * 1024 * 1024
"""As large as photos of phones are; it is made small here."""
_BYTES = {"required": True, "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}


class NewProfile(BaseModel):
    """What is to change; what is left out stays as it is, null takes back what was chosen."""

    model_config = ConfigDict(extra="forbid", strict=True)

    display_name: str | None = None
    color: Color | None = None

    def understood(self) -> ProfileChange:
        """The same, for the server.

        Raises:
            InvalidDisplayName: nobody can be shown under this name.
        """
        change: ProfileChange = {}
        if "display_name" in self.model_fields_set:
            change["display_name"] = None if self.display_name is None else parse_display_name(self.display_name)
        if "color" in self.model_fields_set:
            change["color"] = self.color
        return change


@router.patch("", summary="My name and my colour")
async def patch_me(body: NewProfile, caller: Caller, context: InContext) -> PersonView:
    """Choose under which name, and in which colour, the caller is shown; everybody who sees the caller is told.

    Raises:
        InvalidDisplayName: nobody can be shown under this name.
        DisplayNameTaken: somebody else goes by it, or by one that looks like it.
    """
    context.rate_limits.check("change", caller)
    change = body.understood()
    return await _change(lambda session: change_profile(session, caller.user_id, change), caller, context)


@router.put("/picture", summary="My picture", openapi_extra={"requestBody": _BYTES})
async def put_picture(request: Request, caller: Caller, context: InContext) -> PersonView:
    """Take a picture, at most 8 MiB: it is cut to a square, made small, and keeps nothing of where it was taken.

    Raises:
        PictureTooLarge, PictureUnreadable: it has too many pixels, or is no picture that can be made harmless.
    """
    context.rate_limits.check("upload", caller)
    small = await context.avatar_maker.make(await request.body())
    return await _change(lambda session: set_avatar(session, caller.user_id, small, context.vault), caller, context)


@router.delete("/picture", summary="No picture")
async def delete_picture(caller: Caller, context: InContext) -> PersonView:
    """Be shown without a picture."""
    context.rate_limits.check("change", caller)
    return await _change(lambda session: remove_avatar(session, caller.user_id), caller, context)


async def _change(change: Callable[[Session], ProfileResult], caller: Identity, context: Context) -> PersonView:
    """Change how the caller is shown, and tell everybody who sees the caller, if that is different now."""

    def work(session: Session) -> tuple[ProfileResult, list[str]]:
        still_signed_in(session, caller)
        changed = change(session)
        return changed, [each.user_id for each in people_around(session, caller.user_id)]

    changed, viewers = await context.database.transaction(work)
    view = person(changed.profile)
    if changed.parts:
        _emit(changed)
        context.broadcasts.person_updated(viewers, view)
    return PersonView(**view)


def _emit(changed: ProfileResult) -> None:
    emit(
        events.ProfileChanged(
            user_id=changed.profile.user_id,
            display_name_changed="display_name" in changed.parts,
            color_changed="color" in changed.parts,
            picture_changed="picture" in changed.parts,
        )
    )
