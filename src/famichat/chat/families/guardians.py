"""Guardians: the adults of a family can end the contacts of its child accounts. They never see messages.

Every member of the family who is not a child is a guardian of each of its children.
"""

from dataclasses import dataclass

from sqlalchemy import delete, select
from sqlalchemy.orm import Session, aliased

from famichat.accounts.audit_log import Action, AuditEvent, record
from famichat.accounts.profile import profile_of
from famichat.chat.errors import NotChild, NotGuardian, OwnAccount
from famichat.chat.families.blocks import lock_shared_conversations
from famichat.chat.families.family import role_in
from famichat.chat.records.contact import EndedContact
from famichat.chat.records.conversation import Conversation
from famichat.chat.records.participant import Participant
from famichat.storage.base import now
from famichat.storage.upsert import insert_for


@dataclass(frozen=True, slots=True)
class ChildContact:
    """A user with whom a child has a direct conversation. `ended` is True if a guardian ended the contact."""

    user_id: str
    ended: bool


def contacts_of_child(session: Session, actor_id: str, family_id: str, child_id: str) -> list[ChildContact]:
    """Return the users with whom a child has a direct conversation, or whose contact with the child was ended.

    Raises:
        NotFound, NotGuardian, NotChild: see `end_contact`.
    """
    _require_guardian(session, actor_id, family_id, child_id)
    other = aliased(Participant)
    direct = (
        select(other.user_id)
        .join(Conversation, Conversation.id == other.conversation_id)
        .join(Participant, Participant.conversation_id == other.conversation_id)
        .where(Conversation.type == "direct", Participant.user_id == child_id, other.user_id != child_id)
    )
    ended = select(EndedContact.contact_id).where(
        EndedContact.family_id == family_id, EndedContact.child_id == child_id
    )
    ended_ids = set(session.execute(ended).scalars())
    return [ChildContact(each, each in ended_ids) for each in sorted({*session.execute(direct).scalars(), *ended_ids})]


def end_contact(session: Session, actor_id: str, family_id: str, child_id: str, contact_id: str) -> list[Conversation]:
    """End the contact of a child with another user, with an audit log entry; does nothing if it has ended already.

    Args:
        session: the transaction; it locks the direct conversations of the two, so that no message is stored after it.
        actor_id: the guardian.
        family_id: the family of the guardian and the child.
        child_id: the child.
        contact_id: the other user, of this family or not.

    Returns:
        the conversations that the two share.

    Raises:
        NotFound: the actor or the child does not belong to the family, or the child and the other user share no family
            and no conversation.
        NotGuardian: the actor is a child.
        NotChild: the member is not a child.
        OwnAccount: the contact is the child.
    """
    _require_guardian(session, actor_id, family_id, child_id)
    if contact_id == child_id:
        raise OwnAccount
    shared = lock_shared_conversations(session, child_id, contact_id)
    insert = insert_for(session, EndedContact).values(
        family_id=family_id, child_id=child_id, contact_id=contact_id, inserted_at=now()
    )
    ended = session.execute(insert.on_conflict_do_nothing().returning(EndedContact.contact_id)).one_or_none()
    if ended is not None:
        _record(session, "contact_ended", actor_id, family_id, child_id, contact_id)
    return shared


def restore_contact(
    session: Session, actor_id: str, family_id: str, child_id: str, contact_id: str
) -> list[Conversation]:
    """Allow the contact of a child with another user again, with an audit log entry. Blocks stay.

    Returns:
        the conversations that the two share.

    Raises:
        NotFound, NotGuardian, NotChild: see `end_contact`.
    """
    _require_guardian(session, actor_id, family_id, child_id)
    shared = lock_shared_conversations(session, child_id, contact_id)
    row = (
        EndedContact.family_id == family_id,
        EndedContact.child_id == child_id,
        EndedContact.contact_id == contact_id,
    )
    restored = session.execute(delete(EndedContact).where(*row).returning(EndedContact.contact_id)).one_or_none()
    if restored is not None:
        _record(session, "contact_restored", actor_id, family_id, child_id, contact_id)
    return shared


def _require_guardian(session: Session, actor_id: str, family_id: str, child_id: str) -> None:
    actor_role = role_in(session, family_id, actor_id)
    role = role_in(session, family_id, child_id)
    if actor_role == "child":
        raise NotGuardian
    if role != "child":
        raise NotChild


def _record(session: Session, action: Action, actor_id: str, family_id: str, child_id: str, contact_id: str) -> None:
    name = profile_of(session, contact_id).shown_name
    record(session, AuditEvent(action, name=name, family_id=family_id), concerning=child_id, by=actor_id)
