"""The caller's profile: display name, color and avatar."""

from fastapi import Request
from pydantic import BaseModel, ConfigDict

from famichat.accounts.user import Color
from famichat.actions.accounts import profile
from famichat.actions.accounts.profile import ProfileRequest
from famichat.actions.events.payloads import PersonView, person_view
from famichat.endpoint.http.context import Caller, InContext
from famichat.endpoint.http.strict_route import api_router

router = api_router("/me", "me")

MAX_AVATAR_BYTES = 8 * 1024 * 1024
"""The size of a large phone photo. The server scales it down."""
_BYTES = {"required": True, "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}


class ProfilePatch(BaseModel):
    """The fields to change; missing ones stay as they are, null clears one."""

    model_config = ConfigDict(extra="forbid", strict=True)

    display_name: str | None = None
    color: Color | None = None

    def request(self) -> ProfileRequest:
        """The fields that the client sent."""
        fields: ProfileRequest = {}
        if "display_name" in self.model_fields_set:
            fields["display_name"] = self.display_name
        if "color" in self.model_fields_set:
            fields["color"] = self.color
        return fields


@router.patch("", summary="Change my display name and color")
async def patch_me(body: ProfilePatch, caller: Caller, context: InContext) -> PersonView:
    """Change the caller's display name and color; everyone who sees the caller is notified.

    Raises:
        InvalidDisplayName: the display name is not allowed.
        DisplayNameTaken: the display name, or one that looks like it, is in use.
    """
    return person_view(await profile.change_profile(context, caller, body.request()))


@router.put("/picture", summary="Set my avatar", openapi_extra={"requestBody": _BYTES})
async def put_picture(request: Request, caller: Caller, context: InContext) -> PersonView:
    """Set the caller's avatar from an image of at most 8 MiB. It is cropped, scaled down, and loses its metadata.

    Raises:
        PictureTooLarge, PictureUnreadable: the image has too many pixels, or is not in a supported format.
    """
    return person_view(await profile.set_avatar(context, caller, request.body))


@router.delete("/picture", summary="Remove my avatar")
async def delete_picture(caller: Caller, context: InContext) -> PersonView:
    """Remove the caller's avatar."""
    return person_view(await profile.remove_avatar(context, caller))
