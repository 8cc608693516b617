"""JSON schemas of people."""

from pydantic import BaseModel, Field

from famichat.accounts.user import Color


class ProfileFields(BaseModel):
    """A profile as other people see it. Null fields are not set."""

    username: str
    display_name: str | None = Field(description="The name to show; if null, show the username.")
    color: Color | None
    picture: str | None = Field(description="Path of the avatar, a square WebP image; readable by the user's contacts.")
