"""How a family is shown to its members."""

from pydantic import BaseModel

from famichat.chat.families.family import UserFamily
from famichat.chat.records.family import FamilyRole
from famichat.endpoint.http.timestamp import Timestamp


class FamilyView(BaseModel):
    """A family that the caller belongs to, and the caller's role in it."""

    id: str
    name: str
    role: FamilyRole
    joined_at: Timestamp


def family_view(family: UserFamily) -> FamilyView:
    """Return a family as one of its members sees it."""
    return FamilyView(id=family.family_id, name=family.name, role=family.role, joined_at=family.joined_at)
