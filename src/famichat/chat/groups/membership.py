"""Adds members to groups and removes them. `roles` manages their permissions.

Membership and role change in one transaction under the lock of the group: no message is stored in between, and a group
with members always has an admin. A group of fewer than three members stays a group.

    result = database.run(lambda session: add_to_group(session, maja_id, group_id, nils_id))
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from famichat.accounts.audit_log import AuditEvent, record
from famichat.chat.errors import NotAdmin, NotFound
from famichat.chat.groups.roles import (
    count_admins,
    grant,
    lock_group,
    lock_group_as_admin,
    record_role,
    require_other_admin,
    role_of_participant,
    withdraw,
)
from famichat.chat.records.conversation import Conversation
from famichat.chat.records.family import FamilyMembership
from famichat.chat.records.participant import Participant, participants
from famichat.storage.access_removal import record_left_conversation
from famichat.storage.base import is_id


@dataclass(frozen=True, slots=True)
class MemberAdded:
    """The result of `add_to_group`. `added` is False if the user was a member already."""

    conversation_id: str
    user_id: str
    added: bool


@dataclass(frozen=True, slots=True)
class PromotedAdmin:
    """A member who became the admin of a group because its last admin was removed from the family."""

    conversation_id: str
    user_id: str


def add_to_group(session: Session, actor_id: str, conversation_id: str, user_id: str) -> MemberAdded:
    """Add a member of the group's family to the group, as a plain member.

    The group's `history` decides whether the new member sees earlier messages. Adding a member again changes nothing.

    Args:
        session: the transaction; it locks the group.
        actor_id: the admin who adds the user.
        conversation_id: the group.
        user_id: the user to add.

    Raises:
        NotFound: the actor is not a member of such a conversation; or the user does not exist or does not belong to
            the group's family.
        NotGroupConversation: the conversation is not a group.
        NotAdmin: the actor is a plain member.
    """
    group = lock_group_as_admin(session, actor_id, conversation_id)
    if not is_id(user_id) or session.get(FamilyMembership, (group.family_id, user_id)) is None:
        raise NotFound
    if session.get(Participant, (conversation_id, user_id)) is not None:
        return MemberAdded(conversation_id, user_id, added=False)
    visible_from_seq = 1 if group.history == "all" else group.last_seq + 1
    session.add(Participant(conversation_id=conversation_id, user_id=user_id, visible_from_seq=visible_from_seq))
    session.flush()
    grant(session, actor_id, conversation_id, user_id, "member")
    return MemberAdded(conversation_id, user_id, added=True)


def remove_from_group(session: Session, actor_id: str, conversation_id: str, user_id: str) -> None:
    """Remove a user and their role from a group. Members may remove themselves; admins may remove others.

    The only admin cannot be removed while the group has other members. As the only member, the admin may leave.

    Args:
        session: the transaction; it locks the group.
        actor_id: the user who removes.
        conversation_id: the group.
        user_id: the user to remove; the actor, in order to leave.

    Raises:
        NotFound: the actor is not a member of such a conversation.
        NotGroupConversation: the conversation is not a group.
        NotAdmin: the actor is a plain member and the user is someone else.
        NotParticipant: the user is not a member of the group.
        LastAdmin: the user is the only admin and the group has other members.
    """
    access, group = lock_group(session, actor_id, conversation_id)
    if access.role != "admin" and actor_id != user_id:
        raise NotAdmin
    if role_of_participant(session, conversation_id, user_id) == "admin":
        check_admin_can_leave(session, conversation_id, user_id)
    remove_participant(session, conversation_id, user_id)
    _record_removal(session, actor_id, group, user_id)


def remove_participant(session: Session, conversation_id: str, user_id: str) -> None:
    """Delete a user's membership and role in a conversation. The caller must have locked the conversation."""
    withdraw(session, conversation_id, user_id)
    record_left_conversation(session, user_id, conversation_id)
    statement = (Participant.conversation_id == conversation_id, Participant.user_id == user_id)
    session.execute(delete(Participant).where(*statement))


def remove_from_groups(
    session: Session, actor_id: str | None, groups: Sequence[Conversation], user_id: str
) -> tuple[PromotedAdmin, ...]:
    """Remove a user from groups because the user was removed from the family. The caller must have locked the groups.

    Being the only admin of a group does not prevent the removal: the longest-standing remaining member becomes admin,
    see docs/decisions/0005-last-admin-of-a-group.md.

    Args:
        session: the transaction.
        actor_id: the family admin, recorded as the granter of new admin roles; None for the server operator.
        groups: the groups; the user must be a member of each.
        user_id: the user to remove.

    Returns:
        the members who became admins.
    """
    promoted = []
    for group in groups:
        remove_participant(session, group.id, user_id)
        _record_removal(session, actor_id, group, user_id)
        remaining = participants(session, group.id)
        if remaining and not count_admins(session, group.id):
            grant(session, actor_id, group.id, remaining[0], "admin")
            record_role(session, actor_id, group, remaining[0], "admin")
            promoted.append(PromotedAdmin(group.id, remaining[0]))
    return tuple(promoted)


def check_admin_can_leave(session: Session, conversation_id: str, user_id: str) -> None:
    """Check that an admin may leave a group. The caller must have locked the group.

    Raises:
        LastAdmin: the user is the only admin and the group has other members.
    """
    others = select(Participant.user_id).where(
        Participant.conversation_id == conversation_id, Participant.user_id != user_id
    )
    if session.execute(others.limit(1)).first() is not None:
        require_other_admin(session, conversation_id)


def _record_removal(session: Session, actor_id: str | None, group: Conversation, user_id: str) -> None:
    event = AuditEvent("group_member_removed", name=group.name, conversation_id=group.id)
    record(session, event, concerning=user_id, by=actor_id)
