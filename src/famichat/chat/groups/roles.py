"""Who may administer a group, and who may change that. Taking part in it is `group_membership`.

Only an admin of the group grants and takes away, only to people who take part, and a group always keeps an admin. All
of that is asked inside the transaction, with the group held still.

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
from famichat.storage.upsert import insert_for


@dataclass(frozen=True, slots=True)
class GroupRoleChange:
    """What somebody is in a group from now on. `changed` is False when it was so already."""

    conversation_id: str
    user_id: str
    role: Role
    changed: bool


def is_admin(session: Session, conversation_id: str, user_id: str) -> bool:
    """Whether somebody takes part in a group and is an admin of it; in any other conversation nobody is."""
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
    """Make a participant of a group an admin of it.

    Raises:
        NotFound: the granter is in no such conversation.
        NotGroupConversation: it is no group.
        NotAdmin: the granter is a plain member.
        NotParticipant: the other does not take part, or does not exist.
    """
    return _assign(session, granter_id, administered(session, granter_id, conversation_id), user_id, "admin")


def assign_member(session: Session, granter_id: str, conversation_id: str, user_id: str) -> GroupRoleChange:
    """Make a participant of a group a plain member of it; an admin may step down so, too.

    Raises:
        LastAdmin: nobody else is an admin.
        NotFound, NotGroupConversation, NotAdmin, NotParticipant: see `assign_admin`.
    """
    return _assign(session, granter_id, administered(session, granter_id, conversation_id), user_id, "member")


def remove(session: Session, granter_id: str, conversation_id: str, user_id: str) -> GroupRoleChange:
    """Take away whatever was granted to a participant, who stays in the group as a plain member.

    Raises:
        LastAdmin: nobody else is an admin.
        NotFound, NotGroupConversation, NotAdmin, NotParticipant: see `assign_admin`.
    """
    group = administered(session, granter_id, conversation_id)
    before = role_of_participant(session, conversation_id, user_id)
    if before == "admin":
        keep_an_admin(session, conversation_id)
        record_role(session, granter_id, group, user_id, "member")
    withdraw(session, conversation_id, user_id)
    return GroupRoleChange(conversation_id, user_id, "member", changed=before != "member")


# What `group_membership` needs as well; the caller has asked who may.


def administered(session: Session, actor_id: str, conversation_id: str) -> Conversation:
    """The group that somebody administers, held still.

    Raises:
        NotFound, NotGroupConversation, NotAdmin: see `assign_admin`.
    """
    access, group = locked_group(session, actor_id, conversation_id)
    if access.role != "admin":
        raise NotAdmin
    return group


def locked_group(session: Session, user_id: str, conversation_id: str) -> tuple[Access, Conversation]:
    """The group that somebody takes part in, held still.

    Raises:
        NotFound: there is no such conversation with this person in it.
        NotGroupConversation: it is no group.
    """
    access = conversation_for(session, user_id, conversation_id)
    if access.conversation.type != "group":
        raise NotGroupConversation
    [group] = lock_conversations(session, [conversation_id])
    return access, group


def role_of_participant(session: Session, conversation_id: str, user_id: str) -> Role:
    """What a participant is in a group.

    Raises:
        NotParticipant: that person does not take part, or does not exist.
    """
    if not is_id(user_id) or session.get(Participant, (conversation_id, user_id)) is None:
        raise NotParticipant
    return "admin" if is_admin(session, conversation_id, user_id) else "member"


def grant(session: Session, granter_id: str, conversation_id: str, user_id: str, role: Role) -> None:
    """Write down a role, with who granted it and when, over what was written before."""
    granted = {"role": role, "granted_by_id": granter_id, "granted_at": now()}
    row = insert_for(session, GroupPrivilege).values(conversation_id=conversation_id, user_id=user_id, **granted)
    session.execute(
        row.on_conflict_do_update(
            index_elements=["conversation_id", "user_id"], set_={**granted, "updated_at": granted["granted_at"]}
        )
    )


def record_role(session: Session, granter_id: str, group: Conversation, user_id: str, role: Role) -> None:
    """Put a changed role on record, for the person whose it is."""
    deed = AuditEvent("group_role_changed", name=group.name, role=role, conversation_id=group.id)
    record(session, deed, concerning=user_id, by=granter_id)


def withdraw(session: Session, conversation_id: str, user_id: str) -> None:
    """Forget what was granted to somebody."""
    theirs = (GroupPrivilege.conversation_id == conversation_id, GroupPrivilege.user_id == user_id)
    session.execute(delete(GroupPrivilege).where(*theirs))


def keep_an_admin(session: Session, conversation_id: str) -> None:
    """Go on only if an admin of a group may cease to be one.

    Raises:
        LastAdmin: nobody else is an admin.
    """
    if admins(session, conversation_id) < 2:  # noqa: PLR2004 - the one who goes, and the one who stays
        raise LastAdmin


def admins(session: Session, conversation_id: str) -> int:
    """How many admins a group has."""
    granted = select(func.count()).where(
        GroupPrivilege.conversation_id == conversation_id, GroupPrivilege.role == "admin"
    )
    return session.execute(granted).scalar_one()


def _assign(session: Session, granter_id: str, group: Conversation, user_id: str, role: Role) -> GroupRoleChange:
    before = role_of_participant(session, group.id, user_id)
    if before == "admin" and role == "member":
        keep_an_admin(session, group.id)
    if before != role:
        grant(session, granter_id, group.id, user_id, role)
        record_role(session, granter_id, group, user_id, role)
    return GroupRoleChange(group.id, user_id, role, changed=before != role)
