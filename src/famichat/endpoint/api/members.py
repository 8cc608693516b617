"""The members of a group: add them, remove them, change their roles. `docs/permissions.md` has the table of who may."""

from typing import Any

from fastapi import Response
from pydantic import BaseModel, ConfigDict

from famichat.actions import groups as actions
from famichat.chat.conversations.schema import ConversationView
from famichat.chat.records.conversation import Role
from famichat.endpoint.http.context import Caller, InContext
from famichat.endpoint.http.strict_route import api_router

router = api_router("/conversations/{conversation_id}/members", "groups")

_SHAPE: dict[str, Any] = {"response_model": ConversationView}


class NewMember(BaseModel):
    """The user to add."""

    model_config = ConfigDict(extra="forbid")

    user_id: str


class NewRole(BaseModel):
    """The role to assign."""

    model_config = ConfigDict(extra="forbid")

    role: Role


@router.post(
    "",
    summary="Add a member to a group",
    status_code=201,
    responses={200: {"model": ConversationView, "description": "The user already was a member"}},
    **_SHAPE,
)
async def post_member(
    conversation_id: str, body: NewMember, caller: Caller, context: InContext, response: Response
) -> ConversationView:
    """Add a user of the group's family to the group, as a plain member.

    Raises:
        NotFound: the caller is not a member; or the user does not exist or does not belong to the group's family.
        NotGroupConversation: the conversation is not a group.
        NotAdmin: the caller is a plain member.
    """
    result = await actions.add_group_member(context, caller, conversation_id, body.user_id)
    response.status_code = 201 if result.added else 200
    return result.view


@router.delete("/{user_id}", status_code=204, summary="Leave a conversation or remove a member")
async def delete_member(conversation_id: str, user_id: str, caller: Caller, context: InContext) -> None:
    """Leave a group or a direct conversation, or remove a member of a group as its admin.

    The removed member receives nothing more, at once.

    Raises:
        NotFound: the caller is not a member.
        NotGroupConversation: the conversation is not a group, nor a direct conversation that the caller leaves.
        NotAdmin: the caller is a plain member and the user is someone else.
        NotParticipant: the user is not a member or does not exist.
        LastAdmin: the group would have no admin.
    """
    await actions.remove_group_member(context, caller, conversation_id, user_id)


@router.put("/{user_id}/role", summary="Change the role of a group member", **_SHAPE)
async def put_role(
    conversation_id: str, user_id: str, body: NewRole, caller: Caller, context: InContext
) -> ConversationView:
    """Make a member of a group an admin or a plain member.

    Raises:
        NotFound: the caller is not a member.
        NotGroupConversation: the conversation is not a group.
        NotAdmin: the caller is a plain member.
        NotParticipant: the user is not a member or does not exist.
        LastAdmin: the group would have no admin.
    """
    return await actions.change_group_role(context, caller, conversation_id, user_id, body.role)
