"""JSON schemas of families."""

from pydantic import BaseModel

from famichat.chat.families.family import UserFamily
from famichat.chat.records.family import FamilyRole
from famichat.endpoint.http.timestamp import Timestamp


class FamilyView(BaseModel):
    """A family the caller belongs to, with the caller's role in it."""

    id: str
    name: str
    role: FamilyRole
    joined_at: Timestamp


def family_view(membership: UserFamily) -> FamilyView:
    """Return a family as its member sees it."""
    return FamilyView(
        id=membership.family_id, name=membership.name, role=membership.role, joined_at=membership.joined_at
    )
