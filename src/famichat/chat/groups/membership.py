"""How people come into a group, and out of it again. What they may do there is `group_privileges`.

Who takes part and who may administer change in one transaction, with the group held still: no message passes between,
and no group is left without an admin while somebody is in it. A group that shrinks stays a group.

    arrival = database.run(lambda session: add_to_group(session, maja_id, group_id, nils_id))
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from famichat.accounts.audit_log import AuditEvent, record
from famichat.chat.errors import NotAdmin, NotFound
from famichat.chat.groups.roles import (
    administered,
    admins,
    grant,
    keep_an_admin,
    locked_group,
    record_role,
    role_of_participant,
    withdraw,
)
from famichat.chat.records.conversation import Conversation
from famichat.chat.records.family import FamilyMembership
from famichat.chat.records.participant import Participant, participants
from famichat.storage.access_removal import mark_access_removed
from famichat.storage.base import is_id


@dataclass(frozen=True, slots=True)
class MemberAdded:
    """Somebody who was to be in a group. `added` is False for who was in it already."""

    conversation_id: str
    user_id: str
    added: bool


@dataclass(frozen=True, slots=True)
class PromotedAdmin:
    """Who became the admin of a group, because the last one was taken out of the family."""

    conversation_id: str
    user_id: str


def add_to_group(session: Session, actor_id: str, conversation_id: str, user_id: str) -> MemberAdded:
    """Let somebody of the group's family take part in it, as a plain member.

    The newcomer sees what is said from now on, or everything, as was chosen when the group was made.

    Raises:
        NotFound: the actor is in no such conversation; or the other does not exist, or is not of the group's family,
            which is not told apart.
        NotGroupConversation: it is no group.
        NotAdmin: the actor is a plain member.
    """
    group = administered(session, actor_id, conversation_id)
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
    """Put somebody out of a group, with whatever was granted there. Everybody may leave; an admin removes others.

    The last admin stays while anybody else is in the group; alone, the last admin may leave, and the group is empty.

    Raises:
        NotFound: the actor is in no such conversation.
        NotGroupConversation: it is no group.
        NotAdmin: only an admin removes others.
        NotParticipant: the other does not take part, or does not exist.
        LastAdmin: the group would be without an admin.
    """
    access, group = locked_group(session, actor_id, conversation_id)
    if access.role != "admin" and actor_id != user_id:
        raise NotAdmin
    if role_of_participant(session, conversation_id, user_id) == "admin":
        may_leave(session, conversation_id, user_id)
    take_out(session, conversation_id, user_id)
    _record_removal(session, actor_id, group, user_id)


def take_out(session: Session, conversation_id: str, user_id: str) -> None:
    """Let somebody take part no more in a conversation that is held still; whatever was granted there goes along."""
    withdraw(session, conversation_id, user_id)
    mark_access_removed(session)
    theirs = (Participant.conversation_id == conversation_id, Participant.user_id == user_id)
    session.execute(delete(Participant).where(*theirs))


def take_out_of_all(
    session: Session, actor_id: str, groups: Sequence[Conversation], user_id: str
) -> tuple[PromotedAdmin, ...]:
    """Put somebody out of groups that are held still, because the family has removed that person.

    Nobody can refuse that for being a last admin: where it is so, the one who has been in the group for longest becomes
    admin, granted by `actor_id`.
    """
    heirs = []
    for group in groups:
        take_out(session, group.id, user_id)
        _record_removal(session, actor_id, group, user_id)
        left = participants(session, group.id)
        if left and not admins(session, group.id):
            grant(session, actor_id, group.id, left[0], "admin")
            record_role(session, actor_id, group, left[0], "admin")
            heirs.append(PromotedAdmin(group.id, left[0]))
    return tuple(heirs)


def may_leave(session: Session, conversation_id: str, user_id: str) -> None:
    """Go on only if an admin of a group that is held still may go out of it.

    Raises:
        LastAdmin: others would be there without an admin.
    """
    others = select(Participant.user_id).where(
        Participant.conversation_id == conversation_id, Participant.user_id != user_id
    )
    if session.execute(others.limit(1)).first() is not None:
        keep_an_admin(session, conversation_id)


def _record_removal(session: Session, actor_id: str, group: Conversation, user_id: str) -> None:
    deed = AuditEvent("group_member_removed", name=group.name, conversation_id=group.id)
    record(session, deed, concerning=user_id, by=actor_id)
