"""Families: their members, and who may change that."""

from pydantic import BaseModel, ConfigDict

from famichat.actions import families as actions
from famichat.actions.events.payloads import PersonView, person_view
from famichat.chat.families.family import FamilyMember, families_of
from famichat.chat.records.family import FamilyRole
from famichat.endpoint.http.compression import compressible
from famichat.endpoint.http.context import Caller, InContext
from famichat.endpoint.http.strict_route import api_router
from famichat.endpoint.http.timestamp import Timestamp
from famichat.endpoint.schemas.families import FamilyView, family_view

router = api_router("/families", "families")


class FamiliesView(BaseModel):
    """All families of one user."""

    families: list[FamilyView]


class MemberView(PersonView):
    """A member of a family."""

    role: FamilyRole
    joined_at: Timestamp


class MembersView(BaseModel):
    """All members of one family."""

    members: list[MemberView]


class RoleChange(BaseModel):
    """The role to assign."""

    model_config = ConfigDict(extra="forbid")

    role: FamilyRole


@router.get("", summary="List my families")
@compressible
async def families(caller: Caller, context: InContext) -> FamiliesView:
    """List the families that the caller belongs to, the longest-standing first."""
    found = await context.read(families_of, caller.user_id)
    return FamiliesView(families=[family_view(each) for each in found])


@router.get("/{family_id}/members", summary="List family members")
@compressible
async def members(family_id: str, caller: Caller, context: InContext) -> MembersView:
    """List the members of a family, the longest-standing first.

    Raises:
        NotFound: the caller does not belong to the family.
    """
    found = await actions.list_family_members(context, caller, family_id)
    return MembersView(members=[_member_view(each) for each in found])


@router.put("/{family_id}/members/{user_id}", summary="Change the role of a family member")
async def put_member(family_id: str, user_id: str, body: RoleChange, caller: Caller, context: InContext) -> MemberView:
    """Make a member of a family an admin, a plain member or a child. New members join by invitation, not here.

    Raises:
        NotFound: the caller or the user does not belong to the family.
        NotAdmin: the caller is a plain member.
        LastAdmin: the family would have no admin.
    """
    return _member_view(await actions.change_family_role(context, caller, family_id, user_id, body.role))


@router.delete("/{family_id}/members/{user_id}", status_code=204, summary="Leave a family or remove a member")
async def delete_member(family_id: str, user_id: str, caller: Caller, context: InContext) -> None:
    """Leave a family, or remove a member as its admin: from its conversation and its groups, too, at once.

    Raises:
        NotFound: the caller or the user does not belong to the family.
        NotAdmin: the caller is a plain member and the user is someone else.
        LastAdmin: the family would have no admin.
    """
    await actions.remove_family_member(context, caller, family_id, user_id)


def _member_view(member: FamilyMember) -> MemberView:
    return {**person_view(member.profile), "role": member.role, "joined_at": member.joined_at}
