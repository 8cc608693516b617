"""Adding and removing members of a group, and changing their roles. `docs/permissions.md` has the table of who may."""

from dataclasses import dataclass

from sqlalchemy.orm import Session

from famichat.accounts.sign_in.token import Identity
from famichat.actions.events.topics import ConversationTopic
from famichat.actions.services import Services
from famichat.chat.conversations.leave import leave_direct
from famichat.chat.conversations.schema import ConversationView
from famichat.chat.conversations.view import views_by_member
from famichat.chat.groups.membership import MemberAdded, add_to_group, remove_from_group
from famichat.chat.groups.roles import GroupRoleChange, assign_admin, assign_member
from famichat.chat.records.conversation import ConversationType, Role
from famichat.telemetry import emit, events


@dataclass(frozen=True, slots=True)
class AddResult:
    """A group after a user was to be added.

    Attributes:
        view: the group as the actor sees it.
        added: False if the user already was a member.
    """

    view: ConversationView
    added: bool


async def add_group_member(services: Services, actor: Identity, conversation_id: str, user_id: str) -> AddResult:
    """Add a user of the group's family to the group, as a plain member, and tell all members.

    Raises:
        NotFound: the actor is not a member of such a conversation; or the user does not exist or does not belong to
            the group's family.
        NotGroupConversation: the conversation is not a group.
        NotAdmin: the actor is a plain member.
        RateLimited: too many messages and changes of groups.
    """
    services.rate_limits.check("send", actor)

    def work(session: Session) -> tuple[MemberAdded, dict[str, ConversationView]]:
        result = add_to_group(session, actor.user_id, conversation_id, user_id)
        return result, views_by_member(session, conversation_id, services.policies, services.vault)

    result, views = await services.write_between_batches(work)
    if result.added:
        emit(events.GroupMemberAdded(conversation_id=conversation_id, user_id=user_id, added_by_id=actor.user_id))
        services.broadcasts.joined(user_id, views)
    return AddResult(views[actor.user_id], result.added)


async def remove_group_member(services: Services, actor: Identity, conversation_id: str, user_id: str) -> None:
    """Remove a member from a group, or leave it or a direct conversation.

    The channels of that user are closed on every node.

    Args:
        services: the services of this server.
        actor: the authenticated user and device.
        conversation_id: the group, or the direct conversation to leave.
        user_id: the member to remove; the actor's own id to leave.

    Raises:
        NotFound: the actor is not a member of such a conversation.
        NotGroupConversation: the conversation is not a group, nor a direct conversation that the actor leaves.
        NotAdmin: the actor is a plain member and the user is someone else.
        NotParticipant: the user is not a member or does not exist.
        LastAdmin: the group would have no admin.
        RateLimited: too many messages and changes of groups.
    """
    services.rate_limits.check("send", actor)

    def work(session: Session) -> tuple[ConversationType, dict[str, ConversationView]]:
        kind: ConversationType = "direct"
        if actor.user_id != user_id or not leave_direct(session, user_id, conversation_id):
            kind = "group"
            remove_from_group(session, actor.user_id, conversation_id, user_id)
        return kind, views_by_member(session, conversation_id, services.policies, services.vault)

    kind, views = await services.write_between_batches(work)
    if kind == "group":
        emit(events.GroupMemberRemoved(conversation_id=conversation_id, user_id=user_id, removed_by_id=actor.user_id))
    services.broadcasts.removed(user_id, [ConversationTopic(kind, conversation_id)])
    services.broadcasts.conversation_updated(views)


async def change_group_role(
    services: Services, actor: Identity, conversation_id: str, user_id: str, role: Role
) -> ConversationView:
    """Make a member of a group an admin or a plain member, and tell all members if that is a change.

    Raises:
        NotFound: the actor is not a member of such a conversation.
        NotGroupConversation: the conversation is not a group.
        NotAdmin: the actor is a plain member.
        NotParticipant: the user is not a member or does not exist.
        LastAdmin: the group would have no admin.
        RateLimited: too many messages and changes of groups.
    """
    services.rate_limits.check("send", actor)
    assign = assign_admin if role == "admin" else assign_member

    def work(session: Session) -> tuple[GroupRoleChange, dict[str, ConversationView]]:
        result = assign(session, actor.user_id, conversation_id, user_id)
        return result, views_by_member(session, conversation_id, services.policies, services.vault)

    result, views = await services.write_between_batches(work)
    if result.changed:
        emit(
            events.GroupRoleChanged(
                conversation_id=conversation_id, user_id=user_id, role=result.role, changed_by_id=actor.user_id
            )
        )
        services.broadcasts.conversation_updated(views)
    return views[actor.user_id]
