"""How a person is shown to others."""

from typing import Any

from pydantic import BaseModel, Field

from famichat.accounts.profile import Profile
from famichat.accounts.user import Color


class Shown(BaseModel):
    """The public part of a profile. A field is null if the person has not chosen a value."""

    username: str
    display_name: str | None = Field(description="The name to show; if null, show the username.")
    color: Color | None
    picture: str | None = Field(description="URL of a square WebP picture, for everyone who can see this person.")


class PersonView(Shown):
    """A person, as others see them."""

    user_id: str


def person(profile: Profile) -> dict[str, Any]:
    """Return the fields of `PersonView`."""
    return {"user_id": profile.user_id, **shown(profile)}


def shown(profile: Profile) -> dict[str, Any]:
    """Return the fields of `Shown`."""
    picture_id = profile.picture_id
    return {
        "username": profile.username,
        "display_name": profile.display_name,
        "color": profile.color,
        "picture": None if picture_id is None else f"/api/v1/people/{profile.user_id}/pictures/{picture_id}",
    }
