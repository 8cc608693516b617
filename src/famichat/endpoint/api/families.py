"""Families: who belongs to them, and who may change that."""

from pydantic import BaseModel, ConfigDict
from sqlalchemy.orm import Session

from famichat.actions.topics import ConversationTopic
from famichat.chat.conversations.view import ConversationView, views_by_member
from famichat.chat.families.family import FamilyMember, families_of, members_of, role_in
from famichat.chat.families.membership import Removal, change_role, family_conversation_views, remove_member
from famichat.chat.records.family import FamilyRole
from famichat.endpoint.http.context import Caller, InContext
from famichat.endpoint.http.strict_route import api_router
from famichat.endpoint.http.timestamp import Timestamp
from famichat.endpoint.schemas.families import FamilyView, family_view
from famichat.endpoint.schemas.people import PersonView, person
from famichat.telemetry import emit, events

router = api_router("/families", "families")

Views = dict[str, ConversationView]
"""A conversation as each person in it sees it, by user id."""


class FamiliesView(BaseModel):
    """All families of one person."""

    families: list[FamilyView]


class MemberView(PersonView):
    """One person of a family."""

    role: FamilyRole
    joined_at: Timestamp


class MembersView(BaseModel):
    """All people of one family."""

    members: list[MemberView]


class RoleChange(BaseModel):
    """The role that somebody gets."""

    model_config = ConfigDict(extra="forbid")

    role: FamilyRole


@router.get("", summary="My families")
async def families(caller: Caller, context: InContext) -> FamiliesView:
    """List the families that the caller belongs to, the longest-standing first."""
    found = await context.database.read(lambda session: families_of(session, caller.user_id))
    return FamiliesView(families=[family_view(each) for each in found])


@router.get("/{family_id}/members", summary="Who belongs")
async def members(family_id: str, caller: Caller, context: InContext) -> MembersView:
    """List the people of a family, the longest-standing first.

    Raises:
        NotFound: the caller does not belong to it.
    """

    def work(session: Session) -> list[FamilyMember]:
        role_in(session, family_id, caller.user_id)
        return members_of(session, family_id)

    return MembersView(members=[_member_view(each) for each in await context.database.read(work)])


@router.put("/{family_id}/members/{user_id}", summary="Change a role")
async def put_member(family_id: str, user_id: str, body: RoleChange, caller: Caller, context: InContext) -> MemberView:
    """Make somebody an admin, or a plain member again. People come in by invitation, not here.

    Raises:
        NotFound: the caller, or the other, does not belong to the family.
        NotAdmin: the caller is a plain member.
        LastAdmin: the family would have no admin.
    """

    def work(session: Session) -> tuple[FamilyMember, Views | None]:
        member = change_role(session, caller.user_id, family_id, user_id, body.role)
        return member, family_conversation_views(session, family_id, context.policies, context.vault)

    member, views = await context.database.transaction(work)
    emit(events.FamilyRoleChanged(family_id=family_id, user_id=user_id, role=member.role, changed_by_id=caller.user_id))
    context.broadcasts.conversation_updated(views or {})
    return _member_view(member)


@router.delete("/{family_id}/members/{user_id}", status_code=204, summary="Leave, or remove somebody")
async def delete_member(family_id: str, user_id: str, caller: Caller, context: InContext) -> None:
    """Leave a family, or, as its admin, remove somebody: out of its conversation and its groups at once.

    Raises:
        NotFound: the caller, or the other, does not belong to the family.
        NotAdmin: the caller is a plain member, and it is about somebody else.
        LastAdmin: the family would have no admin.
    """

    def work(session: Session) -> tuple[Removal, list[Views]]:
        removal = remove_member(session, caller.user_id, family_id, user_id)
        return removal, [
            views_by_member(session, conversation_id, context.policies, context.vault)
            for _, conversation_id in removal.left
        ]

    removal, views_of_others = await context.database.between_batches(work)
    emit(events.FamilyMemberRemoved(family_id=family_id, user_id=user_id, removed_by_id=caller.user_id))
    _emit_group_changes(removal, caller.user_id)
    context.broadcasts.removed(user_id, [ConversationTopic(kind, id_) for kind, id_ in removal.left])
    for views in views_of_others:
        context.broadcasts.conversation_updated(views)


def _emit_group_changes(removal: Removal, actor_id: str) -> None:
    for kind, id_ in removal.left:
        if kind == "group":
            emit(events.GroupMemberRemoved(conversation_id=id_, user_id=removal.user_id, removed_by_id=actor_id))
    for heir in removal.heirs:
        emit(
            events.GroupRoleChanged(
                conversation_id=heir.conversation_id, user_id=heir.user_id, role="admin", changed_by_id=actor_id
            )
        )


def _member_view(member: FamilyMember) -> MemberView:
    return MemberView(**person(member.profile), role=member.role, joined_at=member.joined_at)
