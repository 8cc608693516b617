"""The people of a group: who comes in, who goes out, who may administer it. `docs/permissions.md` has the table."""

from typing import Any

from fastapi import Response
from pydantic import BaseModel, ConfigDict
from sqlalchemy.orm import Session

from famichat.actions.topics import ConversationTopic
from famichat.chat.conversations.view import ConversationView, views_by_member
from famichat.chat.groups.membership import MemberAdded, add_to_group, remove_from_group
from famichat.chat.groups.roles import GroupRoleChange, assign_admin, assign_member
from famichat.chat.records.conversation import Role
from famichat.endpoint.api import schemas
from famichat.endpoint.http.context import Caller, InContext
from famichat.endpoint.http.strict_route import api_router
from famichat.telemetry import emit, events

router = api_router("/conversations/{conversation_id}/members", "groups")

Views = dict[str, ConversationView]
"""A conversation as each person in it sees it, by user id."""

_SHAPE: dict[str, Any] = {"response_model": schemas.Conversation, "response_model_exclude_unset": True}


class NewMember(BaseModel):
    """Who is to be in the group."""

    model_config = ConfigDict(extra="forbid")

    user_id: str


class NewRole(BaseModel):
    """What somebody may do in the group from now on."""

    model_config = ConfigDict(extra="forbid")

    role: Role


@router.post(
    "",
    summary="Add somebody",
    status_code=201,
    responses={200: {"model": schemas.Conversation, "description": "The person was in it already"}},
    **_SHAPE,
)
async def post_member(
    conversation_id: str, body: NewMember, caller: Caller, context: InContext, response: Response
) -> ConversationView:
    """Let somebody of the group's family take part in it, as a plain member.

    Raises:
        NotFound: the caller is in no such conversation; or the other does not exist, or is not of the group's family.
        NotGroupConversation: it is no group.
        NotAdmin: the caller is a plain member.
    """
    context.rate_limits.check("send", caller)

    def work(session: Session) -> tuple[MemberAdded, Views]:
        arrival = add_to_group(session, caller.user_id, conversation_id, body.user_id)
        return arrival, views_by_member(session, conversation_id, context.policies, context.vault)

    arrival, views = await context.database.transaction(work)
    response.status_code = 201 if arrival.added else 200
    if arrival.added:
        emit(
            events.GroupMemberAdded(
                conversation_id=conversation_id, user_id=arrival.user_id, added_by_id=caller.user_id
            )
        )
        context.broadcasts.joined(arrival.user_id, views)
    return views[caller.user_id]


@router.delete("/{user_id}", status_code=204, summary="Leave, or remove somebody")
async def delete_member(conversation_id: str, user_id: str, caller: Caller, context: InContext) -> None:
    """Leave a group, or, as its admin, remove somebody. Whoever is out hears nothing more of it, at once.

    Raises:
        NotFound: the caller is in no such conversation.
        NotGroupConversation: it is no group.
        NotAdmin: the caller is a plain member, and it is about somebody else.
        NotParticipant: the other does not take part, or does not exist.
        LastAdmin: the group would be without an admin.
    """
    context.rate_limits.check("send", caller)

    def work(session: Session) -> Views:
        remove_from_group(session, caller.user_id, conversation_id, user_id)
        return views_by_member(session, conversation_id, context.policies, context.vault)

    views_of_others = await context.database.between_batches(work)
    emit(events.GroupMemberRemoved(conversation_id=conversation_id, user_id=user_id, removed_by_id=caller.user_id))
    context.broadcasts.removed(user_id, [ConversationTopic("group", conversation_id)])
    context.broadcasts.conversation_updated(views_of_others)


@router.put("/{user_id}/role", summary="Change a role", **_SHAPE)
async def put_role(
    conversation_id: str, user_id: str, body: NewRole, caller: Caller, context: InContext
) -> ConversationView:
    """Make somebody an admin of a group, or a plain member again.

    Raises:
        NotFound: the caller is in no such conversation.
        NotGroupConversation: it is no group.
        NotAdmin: the caller is a plain member.
        NotParticipant: the other does not take part, or does not exist.
        LastAdmin: the group would be without an admin.
    """
    context.rate_limits.check("send", caller)
    assign = assign_admin if body.role == "admin" else assign_member

    def work(session: Session) -> tuple[GroupRoleChange, Views]:
        change = assign(session, caller.user_id, conversation_id, user_id)
        return change, views_by_member(session, conversation_id, context.policies, context.vault)

    change, views = await context.database.transaction(work)
    if change.changed:
        emit(
            events.GroupRoleChanged(
                conversation_id=conversation_id, user_id=user_id, role=change.role, changed_by_id=caller.user_id
            )
        )
        context.broadcasts.conversation_updated(views)
    return views[caller.user_id]
