"""Read and change profiles and avatars."""

from collections.abc import Awaitable, Callable
from typing import TypedDict

from sqlalchemy.orm import Session

from famichat.accounts import profile as profiles
from famichat.accounts.names.display_name import parse_display_name
from famichat.accounts.profile import Profile, ProfileChange, ProfileResult, avatar_of
from famichat.accounts.sign_in.token import Identity, still_signed_in
from famichat.accounts.user import Color
from famichat.actions.events.payloads import person_view
from famichat.actions.services import Services
from famichat.attachments.errors import FileDamaged
from famichat.chat.errors import NotFound
from famichat.chat.families.contacts import contacts_of, require_contact
from famichat.storage.base import is_id
from famichat.storage.errors import UnsealError
from famichat.telemetry import emit, events


class ProfileRequest(TypedDict, total=False):
    """The profile fields to change, as typed; missing ones stay as they are, None clears one."""

    display_name: str | None
    color: Color | None


async def list_people(services: Services, actor: Identity) -> list[Profile]:
    """Return the profiles of everyone who shares a family or a conversation with the actor, and the actor's own."""
    return await services.read(contacts_of, actor.user_id)


async def read_avatar(services: Services, actor: Identity, user_id: str, avatar_id: str) -> bytes:
    """Return a person's current avatar, a WebP image.

    Raises:
        NotFound: the actor may not see this person, or the avatar was replaced or removed.
        FileDamaged: the stored image was modified on the disk.
    """

    def work(session: Session) -> bytes | None:
        require_contact(session, actor.user_id, user_id)
        return avatar_of(session, user_id, avatar_id, services.vault) if is_id(avatar_id) else None

    try:
        image = await services.read(work)
    except UnsealError as error:  # the vault has reported it
        raise FileDamaged from error
    if image is None:
        raise NotFound
    return image


async def change_profile(services: Services, actor: Identity, request: ProfileRequest) -> Profile:
    """Change the actor's display name and color, and notify everyone who sees the actor.

    Raises:
        RateLimited: too many changes.
        InvalidToken: the device was revoked in the meantime.
        InvalidDisplayName: the display name is not allowed.
        DisplayNameTaken: the display name, or one that looks like it, is in use.
    """
    services.rate_limits.check("change", actor)
    change = _parse(request)
    return await _change(services, actor, lambda session: profiles.change_profile(session, actor.user_id, change))


async def set_avatar(services: Services, actor: Identity, read_image: Callable[[], Awaitable[bytes]]) -> Profile:
    """Set the actor's avatar: crop it to a square, scale it down and remove its metadata, including location.

    Args:
        services: the services of this server.
        actor: the authenticated user and device.
        read_image: returns an image in any supported format; called only if the rate limit allows the upload.

    Raises:
        RateLimited: too many uploads.
        PictureTooLarge: the image has too many pixels.
        PictureUnreadable: the data is not an image in a supported format.
        InvalidToken: the device was revoked in the meantime.
    """
    services.rate_limits.check("upload", actor)
    avatar = await services.avatar_maker.make(await read_image())
    return await _change(
        services, actor, lambda session: profiles.set_avatar(session, actor.user_id, avatar, services.vault)
    )


async def remove_avatar(services: Services, actor: Identity) -> Profile:
    """Remove the actor's avatar.

    Raises:
        RateLimited: too many changes.
        InvalidToken: the device was revoked in the meantime.
    """
    services.rate_limits.check("change", actor)
    return await _change(services, actor, lambda session: profiles.remove_avatar(session, actor.user_id))


def _parse(request: ProfileRequest) -> ProfileChange:
    change: ProfileChange = {}
    if "display_name" in request:
        name = request["display_name"]
        change["display_name"] = None if name is None else parse_display_name(name)
    if "color" in request:
        change["color"] = request["color"]
    return change


async def _change(services: Services, actor: Identity, change: Callable[[Session], ProfileResult]) -> Profile:
    """Change the actor's profile; if it differs afterwards, notify everyone who sees the actor."""

    def work(session: Session) -> tuple[ProfileResult, list[str]]:
        still_signed_in(session, actor)
        result = change(session)
        return result, [each.user_id for each in contacts_of(session, actor.user_id)]

    result, viewer_ids = await services.write(work)
    if result.parts:
        emit(
            events.ProfileChanged(
                user_id=actor.user_id,
                display_name_changed="display_name" in result.parts,
                color_changed="color" in result.parts,
                picture_changed="picture" in result.parts,
            )
        )
        services.broadcasts.person_updated(viewer_ids, person_view(result.profile))
    return result.profile
