"""What guardians, the adults of a family, can do for its child accounts. Never includes messages."""

from pydantic import BaseModel, Field

from famichat.actions.contacts import end_child_contact, list_child_contacts, restore_child_contact
from famichat.endpoint.http.compression import compressible
from famichat.endpoint.http.context import Caller, InContext
from famichat.endpoint.http.strict_route import api_router

router = api_router("/families/{family_id}/members/{user_id}/contacts", "families")


class ChildContactView(BaseModel):
    """A user with whom a child has a direct conversation."""

    user_id: str
    ended: bool = Field(description="Whether a guardian has ended the contact.")


class ChildContactsView(BaseModel):
    """The contacts of a child."""

    contacts: list[ChildContactView]


@router.get("", summary="List a child's contacts")
@compressible
async def contacts(family_id: str, user_id: str, caller: Caller, context: InContext) -> ChildContactsView:
    """List the users with whom a child has a direct conversation, for the adults of the family.

    Raises:
        NotFound: the caller or the child is not a member of the family.
        NotGuardian: the caller is a child.
        NotChild: the member is not a child.
    """
    found = await list_child_contacts(context, caller, family_id, user_id)
    return ChildContactsView(contacts=[ChildContactView(user_id=each.user_id, ended=each.ended) for each in found])


@router.delete("/{contact_id}", status_code=204, summary="End a child's contact")
async def delete_contact(family_id: str, user_id: str, contact_id: str, caller: Caller, context: InContext) -> None:
    """End the contact of a child with another user: neither can send the other one direct messages any longer.

    The child, the family's admins and the operator can read it in the account history.

    Raises:
        NotFound: the caller or the child is not a member of the family, or the contact is unknown to the child.
        NotGuardian: the caller is a child.
        NotChild: the member is not a child.
        OwnAccount: the contact is the child.
    """
    await end_child_contact(context, caller, family_id, user_id, contact_id)


@router.put("/{contact_id}", status_code=204, summary="Allow a child's contact again")
async def put_contact(family_id: str, user_id: str, contact_id: str, caller: Caller, context: InContext) -> None:
    """Allow the contact of a child with another user again.

    Raises:
        NotFound: the caller or the child is not a member of the family, or the contact is unknown to the child.
        NotGuardian: the caller is a child.
        NotChild: the member is not a child.
    """
    await restore_child_contact(context, caller, family_id, user_id, contact_id)
