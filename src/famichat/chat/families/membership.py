"""How people join a family, change their part in it, and leave it.

The participants of the family's own conversation follow its roster: whoever joins the family is in it, and whoever
leaves is out of it, in the same transaction.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from famichat.accounts.audit_log import Action, AuditEvent, record
from famichat.accounts.invite import revoke_invites_by
from famichat.accounts.profile import profile_of
from famichat.chat.conversations.schema import ConversationView
from famichat.chat.conversations.view import views_by_member
from famichat.chat.encryption_policy import EncryptionPolicies
from famichat.chat.errors import LastAdmin, NotAdmin, NotFound
from famichat.chat.families.family import FamilyMember, role_in
from famichat.chat.groups.membership import PromotedAdmin, take_out, take_out_of_all
from famichat.chat.lock import lock_conversations
from famichat.chat.records.conversation import Conversation, ConversationType
from famichat.chat.records.family import Family, FamilyMembership, FamilyRole
from famichat.chat.records.participant import Participant
from famichat.storage.access_removal import mark_access_removed
from famichat.storage.base import is_id
from famichat.storage.crypto.vault import Vault


@dataclass(frozen=True, slots=True)
class Removal:
    """Who is out of a family, and what came of it.

    Attributes:
        user_id: the person.
        left: the family's conversations (type and id) that this person lost with it.
        heirs: who became the admin of a group, because this person had been its last one.
    """

    user_id: str
    left: tuple[tuple[ConversationType, str], ...]
    heirs: tuple[PromotedAdmin, ...] = ()


def add_member(session: Session, family_id: str, user_id: str, role: FamilyRole) -> bool:
    """Let somebody belong to a family, and take part in its conversation from the next message on.

    Returns:
        whether the person is new there; who belongs already keeps the role.
    """
    lock_families(session, [family_id])
    if session.get(FamilyMembership, (family_id, user_id)) is not None:
        return False
    session.add(FamilyMembership(family_id=family_id, user_id=user_id, role=role))
    conversation = family_conversation(session, family_id)
    if conversation is not None:
        [conversation] = lock_conversations(session, [conversation.id])
        session.merge(
            Participant(conversation_id=conversation.id, user_id=user_id, visible_from_seq=conversation.last_seq + 1)
        )
    session.flush()
    return True


def remove_member(session: Session, actor_id: str, family_id: str, user_id: str) -> Removal:
    """Put somebody out of a family, its conversation and its groups. Everybody may leave; an admin removes others.

    Direct conversations stay: they are between two people, and both keep what they said to each other. A group that
    loses its last admin so gets another one (docs/decisions/0005-last-admin-of-a-group.md).

    Raises:
        NotFound: the one who asks, or the other, does not belong to the family.
        NotAdmin: only an admin removes others.
        LastAdmin: the family would have no admin.
    """
    membership = _administered(session, actor_id, family_id, user_id)
    if membership.role == "admin":
        keep_an_admin_of(session, family_id)
        revoke_invites_by(session, family_id, user_id)
    session.delete(membership)
    mark_access_removed(session)
    session.flush()
    _record(session, "family_member_removed", actor_id, membership)
    return _leave_conversations(session, actor_id, family_id, user_id)


def change_role(session: Session, actor_id: str, family_id: str, user_id: str, role: FamilyRole) -> FamilyMember:
    """Make somebody admin, or a plain member again.

    Raises:
        NotFound: the one who asks, or the other, does not belong to the family.
        NotAdmin: only an admin changes roles.
        LastAdmin: the family would have no admin.
    """
    membership = _administered(session, actor_id, family_id, user_id, also_oneself=True)
    return _give(session, actor_id, membership, role)


def change_role_by_operator(session: Session, family_id: str, user_id: str, role: FamilyRole) -> FamilyMember:
    """Make somebody admin, or a plain member again, because the operator of the server decided so.

    Raises:
        NotFound: that person does not belong to the family.
        LastAdmin: the family would have no admin.
    """
    lock_families(session, [family_id])
    return _give(session, None, _membership(session, family_id, user_id), role)


def family_conversation(session: Session, family_id: str) -> Conversation | None:
    """The conversation of a whole family, if somebody has begun it."""
    talk = select(Conversation).where(Conversation.family_id == family_id, Conversation.type == "family")
    return session.execute(talk).scalar_one_or_none()


def family_conversation_views(
    session: Session, family_id: str, policies: EncryptionPolicies, vault: Vault
) -> dict[str, ConversationView] | None:
    """Return the family's conversation as each member sees it, by user id; None if it has not been created."""
    conversation = family_conversation(session, family_id)
    return None if conversation is None else views_by_member(session, conversation.id, policies, vault)


def lock_families(session: Session, family_ids: Iterable[str]) -> list[str]:
    """Hold families still until the commit: whoever changes who belongs to one calls this first."""
    # Two admins who go at once must go one after the other. On SQLite there is one writer, and this is a plain read.
    held = select(Family.id).where(Family.id.in_(set(family_ids))).order_by(Family.id).with_for_update(key_share=True)
    return list(session.execute(held).scalars())


def keep_an_admin_of(session: Session, family_id: str) -> None:
    """Go on only if an admin of a family may cease to be one.

    Raises:
        LastAdmin: nobody else is an admin.
    """
    admins = select(func.count()).where(FamilyMembership.family_id == family_id, FamilyMembership.role == "admin")
    if session.execute(admins).scalar_one() < 2:  # noqa: PLR2004 - the one who goes, and the one who stays
        raise LastAdmin


def _record(
    session: Session, action: Action, actor_id: str | None, membership: FamilyMembership, role: FamilyRole | None = None
) -> None:
    name = session.get_one(Family, membership.family_id).name
    deed = AuditEvent(action, name=name, role=role, family_id=membership.family_id)
    record(session, deed, concerning=membership.user_id, by=actor_id)


def _administered(
    session: Session, actor_id: str, family_id: str, user_id: str, *, also_oneself: bool = False
) -> FamilyMembership:
    """The membership that `actor_id` may change, with the family held still."""
    role = role_in(session, family_id, actor_id)
    lock_families(session, [family_id])
    if role != "admin" and (actor_id != user_id or also_oneself):
        raise NotAdmin
    return _membership(session, family_id, user_id)


def _membership(session: Session, family_id: str, user_id: str) -> FamilyMembership:
    membership = session.get(FamilyMembership, (family_id, user_id)) if is_id(user_id) else None
    if membership is None:
        raise NotFound
    return membership


def _give(session: Session, actor_id: str | None, membership: FamilyMembership, role: FamilyRole) -> FamilyMember:
    if membership.role == "admin" and role == "member":
        keep_an_admin_of(session, membership.family_id)
        revoke_invites_by(session, membership.family_id, membership.user_id)
    if membership.role != role:
        membership.role = role
        session.flush()
        _record(session, "family_role_changed", actor_id, membership, role)
    return FamilyMember(profile_of(session, membership.user_id), role, membership.joined_at)


def _leave_conversations(session: Session, actor_id: str, family_id: str, user_id: str) -> Removal:
    shared = (
        select(Conversation.id)
        .join(Participant, Participant.conversation_id == Conversation.id)
        .where(
            Conversation.family_id == family_id,
            Conversation.type.in_(("family", "group")),
            Participant.user_id == user_id,
        )
    )
    held = lock_conversations(session, session.execute(shared).scalars())
    for talk in held:
        if talk.type == "family":
            take_out(session, talk.id, user_id)
    heirs = take_out_of_all(session, actor_id, [talk for talk in held if talk.type == "group"], user_id)
    return Removal(user_id, tuple((talk.type, talk.id) for talk in held), heirs)
