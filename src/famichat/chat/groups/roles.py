"""Roles in groups. `membership` manages who belongs to a group.

Only an admin of the group changes roles, only members have roles, and a group always keeps an admin. These rules are
checked inside the transaction, under the lock of the group: otherwise two admins who demote each other at the same time
could leave the group without one.

    database.run(lambda session: assign_admin(session, maja_id, group_id, emil_id))
"""

from dataclasses import dataclass

from sqlalchemy import and_, delete, func, select
from sqlalchemy.orm import Session

from famichat.accounts.audit_log import AuditEvent, record
from famichat.chat.access import Access, conversation_for
from famichat.chat.errors import LastAdmin, NotAdmin, NotGroupConversation, NotParticipant
from famichat.chat.lock import lock_conversations
from famichat.chat.records.conversation import Conversation, Role
from famichat.chat.records.group_privilege import GroupPrivilege
from famichat.chat.records.participant import Participant
from famichat.storage.base import is_id, now


@dataclass(frozen=True, slots=True)
class GroupRoleChange:
    """The role of a member after a change. `changed` is False if the member had this role already."""

    conversation_id: str
    user_id: str
    role: Role
    changed: bool


def is_admin(session: Session, conversation_id: str, user_id: str) -> bool:
    """Return whether a user is a member and an admin of a group. False for other types and for malformed ids."""
    if not (is_id(conversation_id) and is_id(user_id)):
        return False
    here = and_(
        Participant.conversation_id == GroupPrivilege.conversation_id, Participant.user_id == GroupPrivilege.user_id
    )
    granted = (
        select(GroupPrivilege.role)
        .join(Participant, here)
        .where(GroupPrivilege.conversation_id == conversation_id, GroupPrivilege.user_id == user_id)
    )
    return session.execute(granted).scalar_one_or_none() == "admin"


def assign_admin(session: Session, granter_id: str, conversation_id: str, user_id: str) -> GroupRoleChange:
    """Make a member of a group an admin.

    Args:
        session: the transaction; it locks the group.
        granter_id: the admin who changes the role.
        conversation_id: the group.
        user_id: the member.

    Raises:
        NotFound: the granter is not a member of such a conversation.
        NotGroupConversation: the conversation is not a group.
        NotAdmin: the granter is a plain member.
        NotParticipant: the user is not a member of the group.
    """
    return _assign(session, granter_id, lock_group_as_admin(session, granter_id, conversation_id), user_id, "admin")


def assign_member(session: Session, granter_id: str, conversation_id: str, user_id: str) -> GroupRoleChange:
    """Make an admin of a group a plain member. Admins may demote themselves. Called like `assign_admin`.

    Raises:
        LastAdmin: the user is the only admin.
        NotFound, NotGroupConversation, NotAdmin, NotParticipant: see `assign_admin`.
    """
    return _assign(session, granter_id, lock_group_as_admin(session, granter_id, conversation_id), user_id, "member")


def remove(session: Session, granter_id: str, conversation_id: str, user_id: str) -> GroupRoleChange:
    """Delete the recorded role of a member, who stays in the group as a plain member. Called like `assign_admin`.

    Raises:
        LastAdmin: the user is the only admin.
        NotFound, NotGroupConversation, NotAdmin, NotParticipant: see `assign_admin`.
    """
    group = lock_group_as_admin(session, granter_id, conversation_id)
    before = role_of_participant(session, conversation_id, user_id)
    if before == "admin":
        require_other_admin(session, conversation_id)
        record_role(session, granter_id, group, user_id, "member")
    withdraw(session, conversation_id, user_id)
    return GroupRoleChange(conversation_id, user_id, "member", changed=before != "member")


# Shared with `membership`. These functions do not check the actor's permission, unless they say so.


def lock_group_as_admin(session: Session, actor_id: str, conversation_id: str) -> Conversation:
    """Lock a group on behalf of one of its admins.

    Raises:
        NotFound, NotGroupConversation, NotAdmin: see `assign_admin`.
    """
    access, group = lock_group(session, actor_id, conversation_id)
    if access.role != "admin":
        raise NotAdmin
    return group


def lock_group(session: Session, user_id: str, conversation_id: str) -> tuple[Access, Conversation]:
    """Lock a group on behalf of one of its members.

    Raises:
        NotFound: the user is not a member of such a conversation.
        NotGroupConversation: the conversation is not a group.
    """
    access = conversation_for(session, user_id, conversation_id)
    if access.conversation.type != "group":
        raise NotGroupConversation
    [group] = lock_conversations(session, [conversation_id])
    return access, group


def role_of_participant(session: Session, conversation_id: str, user_id: str) -> Role:
    """Return the role of a member.

    Raises:
        NotParticipant: the user is not a member of the group.
    """
    if not is_id(user_id) or session.get(Participant, (conversation_id, user_id)) is None:
        raise NotParticipant
    return "admin" if is_admin(session, conversation_id, user_id) else "member"


def grant(session: Session, granter_id: str | None, conversation_id: str, user_id: str, role: Role) -> None:
    """Insert or replace the role of a member, with the granter (None: the operator) and the current time.

    The caller must have locked the group.
    """
    key = {"conversation_id": conversation_id, "user_id": user_id}
    privilege = session.execute(select(GroupPrivilege).filter_by(**key)).scalar_one_or_none() or GroupPrivilege(**key)
    privilege.role, privilege.granted_by_id, privilege.granted_at = role, granter_id, now()
    session.add(privilege)
    session.flush()


def record_role(session: Session, granter_id: str | None, group: Conversation, user_id: str, role: Role) -> None:
    """Record a role change in the audit log of the member."""
    event = AuditEvent("group_role_changed", name=group.name, role=role, conversation_id=group.id)
    record(session, event, concerning=user_id, by=granter_id)


def withdraw(session: Session, conversation_id: str, user_id: str) -> None:
    """Delete the recorded role of a user, who need not have one."""
    statement = (GroupPrivilege.conversation_id == conversation_id, GroupPrivilege.user_id == user_id)
    session.execute(delete(GroupPrivilege).where(*statement))


def require_other_admin(session: Session, conversation_id: str) -> None:
    """Check that a group has another admin besides the one who loses the role. The caller must have locked the group.

    Raises:
        LastAdmin: there is only one admin.
    """
    if count_admins(session, conversation_id) < 2:  # noqa: PLR2004 - the admin who loses the role, and another one
        raise LastAdmin


def count_admins(session: Session, conversation_id: str) -> int:
    """Return the number of admins of a group."""
    granted = select(func.count()).where(
        GroupPrivilege.conversation_id == conversation_id, GroupPrivilege.role == "admin"
    )
    return session.execute(granted).scalar_one()


def _assign(session: Session, granter_id: str, group: Conversation, user_id: str, role: Role) -> GroupRoleChange:
    before = role_of_participant(session, group.id, user_id)
    if before == "admin" and role == "member":
        require_other_admin(session, group.id)
    if before != role:
        grant(session, granter_id, group.id, user_id, role)
        record_role(session, granter_id, group, user_id, role)
    return GroupRoleChange(group.id, user_id, role, changed=before != role)
