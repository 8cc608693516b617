"""Creating and listing families and their members, changing roles, and removing members."""

from collections.abc import Callable

from sqlalchemy.orm import Session

from famichat.accounts.sign_in.token import Identity
from famichat.actions.contacts import ContactChange, announce_to_both, changes_in_direct
from famichat.actions.events.topics import ConversationTopic
from famichat.actions.services import Services
from famichat.chat.conversations.schema import ConversationView
from famichat.chat.conversations.view import views_by_member
from famichat.chat.families.family import FamilyMember, create_family, members_of, role_in
from famichat.chat.families.membership import (
    Removal,
    change_role,
    change_role_by_operator,
    family_conversation_views,
    remove_member,
    remove_member_by_operator,
)
from famichat.chat.records.family import Family, FamilyRole
from famichat.telemetry import emit, events


async def create_family_by_operator(services: Services, name: str, admin_id: str) -> Family:
    """Create a family as the server operator.

    Args:
        services: the services of this server.
        name: the name of the family.
        admin_id: an existing user, who becomes its admin.

    Raises:
        InvalidName: the name is empty, too long or contains control characters.
    """
    family = await services.write(create_family, name, admin_id)
    emit(events.FamilyMemberAdded(family_id=family.id, user_id=admin_id))
    return family


async def list_family_members(services: Services, actor: Identity, family_id: str) -> list[FamilyMember]:
    """Return the members of a family, the longest-standing first.

    Raises:
        NotFound: the actor does not belong to the family, or there is no such family.
    """

    def work(session: Session) -> list[FamilyMember]:
        role_in(session, family_id, actor.user_id)
        return members_of(session, family_id)

    return await services.read(work)


async def change_family_role(
    services: Services, actor: Identity, family_id: str, user_id: str, role: FamilyRole
) -> FamilyMember:
    """Make a member of a family an admin, a plain member or a child, and tell the members of its conversation.

    Raises:
        NotFound: the actor or the user does not belong to the family.
        NotAdmin: the actor is a plain member.
        LastAdmin: the family would have no admin.
    """

    def change(session: Session) -> FamilyMember:
        return change_role(session, actor.user_id, family_id, user_id, role)

    return await _change_role(services, family_id, change, changed_by_id=actor.user_id)


async def change_family_role_by_operator(
    services: Services, family_id: str, user_id: str, role: FamilyRole
) -> FamilyMember:
    """Make a member of a family an admin, a plain member or a child, as the server operator.

    Raises:
        NotFound: the user does not belong to the family.
        LastAdmin: the family would have no admin.
    """

    def change(session: Session) -> FamilyMember:
        return change_role_by_operator(session, family_id, user_id, role)

    return await _change_role(services, family_id, change, changed_by_id=None)


async def remove_family_member(services: Services, actor: Identity, family_id: str, user_id: str) -> None:
    """Remove a member from a family, its conversation and its groups, or leave it.

    The channels of that user are closed on every node.

    Args:
        services: the services of this server.
        actor: the authenticated user and device.
        family_id: the family.
        user_id: the member to remove; the actor's own id to leave.

    Raises:
        NotFound: the actor or the user does not belong to the family.
        NotAdmin: the actor is a plain member and the user is someone else.
        LastAdmin: the family would have no admin.
    """

    def remove(session: Session) -> Removal:
        return remove_member(session, actor.user_id, family_id, user_id)

    await _remove_member(services, family_id, user_id, remove, removed_by_id=actor.user_id)


async def remove_family_member_by_operator(services: Services, family_id: str, user_id: str) -> None:
    """Remove a member from a family, its conversation and its groups, as the server operator.

    Raises:
        NotFound: the user does not belong to the family.
        LastAdmin: the family would have no admin.
    """

    def remove(session: Session) -> Removal:
        return remove_member_by_operator(session, family_id, user_id)

    await _remove_member(services, family_id, user_id, remove, removed_by_id=None)


async def _remove_member(
    services: Services,
    family_id: str,
    user_id: str,
    remove: Callable[[Session], Removal],
    *,
    removed_by_id: str | None,
) -> None:
    def work(session: Session) -> tuple[Removal, list[dict[str, ConversationView]], list[ContactChange]]:
        removal = remove(session)
        views = [views_by_member(session, id_, services.policies, services.vault) for _, id_ in removal.left]
        return removal, views, changes_in_direct(services, session, user_id, removal.direct)

    removal, views_of_others, contacts = await services.write_between_batches(work)
    emit(events.FamilyMemberRemoved(family_id=family_id, user_id=user_id, removed_by_id=removed_by_id))
    _emit_group_changes(removal, removed_by_id)
    services.broadcasts.removed(user_id, [ConversationTopic(kind, id_) for kind, id_ in removal.left])
    for views in views_of_others:
        services.broadcasts.conversation_updated(views)
    announce_to_both(services, contacts)


async def _change_role(
    services: Services, family_id: str, change: Callable[[Session], FamilyMember], *, changed_by_id: str | None
) -> FamilyMember:
    def work(session: Session) -> tuple[FamilyMember, dict[str, ConversationView] | None, list[str]]:
        member = change(session)
        views = family_conversation_views(session, family_id, services.policies, services.vault)
        return member, views, [each.user_id for each in members_of(session, family_id)]

    member, views, member_ids = await services.write_between_batches(work)
    emit(
        events.FamilyRoleChanged(
            family_id=family_id, user_id=member.user_id, role=member.role, changed_by_id=changed_by_id
        )
    )
    services.broadcasts.conversation_updated(views or {})
    services.broadcasts.family_updated(member_ids, family_id)
    return member


def _emit_group_changes(removal: Removal, actor_id: str | None) -> None:
    for kind, id_ in removal.left:
        if kind == "group":
            emit(events.GroupMemberRemoved(conversation_id=id_, user_id=removal.user_id, removed_by_id=actor_id))
    for promoted in removal.promoted:
        emit(
            events.GroupRoleChanged(
                conversation_id=promoted.conversation_id, user_id=promoted.user_id, role="admin", changed_by_id=actor_id
            )
        )
