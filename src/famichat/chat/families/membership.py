"""Adds and removes family members, and changes their roles.

The members of the family's conversation are those of the family: both change in the same transaction.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import delete, func, or_, select
from sqlalchemy.orm import Session

from famichat.accounts.audit_log import Action, AuditEvent, record
from famichat.accounts.invite import revoke_invites_by
from famichat.accounts.profile import profile_of, take_names_in_family
from famichat.chat.conversations.schema import ConversationView
from famichat.chat.conversations.view import views_by_member
from famichat.chat.encryption_policy import EncryptionPolicies
from famichat.chat.errors import LastAdmin, NotAdmin, NotFound
from famichat.chat.families.family import FamilyMember, role_in, shown_name
from famichat.chat.groups.membership import PromotedAdmin, remove_from_groups, remove_participant
from famichat.chat.lock import lock_conversations
from famichat.chat.records.contact import EndedContact
from famichat.chat.records.conversation import Conversation, ConversationType
from famichat.chat.records.family import Family, FamilyMembership, FamilyRole
from famichat.chat.records.participant import Participant
from famichat.storage.access_removal import mark_access_removed
from famichat.storage.base import is_id
from famichat.storage.checksum import require_intact
from famichat.storage.crypto.vault import Vault


@dataclass(frozen=True, slots=True)
class Removal:
    """The result of removing a member from a family.

    Attributes:
        user_id: the removed user.
        left: the conversations of the family (type and id) from which the user was removed.
        promoted: the members who became admins of groups whose only admin was the removed user.
        direct: the ids of the user's direct conversations, in which contact may have ended.
    """

    user_id: str
    left: tuple[tuple[ConversationType, str], ...]
    promoted: tuple[PromotedAdmin, ...] = ()
    direct: tuple[str, ...] = ()


def add_member(session: Session, family_id: str, user_id: str, role: FamilyRole) -> bool:
    """Add a user to a family and to its conversation, in which the user sees only new messages.

    Returns:
        False if the user was a member already; the role is then unchanged.

    Raises:
        NameTakenInFamily: another member has the user's username or display name, or one that looks like it.
    """
    lock_families(session, [family_id])
    if session.get(FamilyMembership, (family_id, user_id)) is not None:
        return False
    session.add(FamilyMembership(family_id=family_id, user_id=user_id, role=role))
    session.flush()
    take_names_in_family(session, user_id, family_id)
    conversation = family_conversation(session, family_id)
    if conversation is not None:
        # The journal waits for this lock, so no message can be stored between reading `last_seq` and the commit. Such a
        # message would be announced without the new member, and yet be visible in the member's history.
        [conversation] = lock_conversations(session, [conversation.id])
        session.merge(
            Participant(conversation_id=conversation.id, user_id=user_id, visible_from_seq=conversation.last_seq + 1)
        )
    session.flush()
    return True


def remove_member(session: Session, actor_id: str, family_id: str, user_id: str) -> Removal:
    """Remove a user from a family, its conversation and its groups. Members may leave; admins may remove others.

    Direct conversations stay, and both users keep access to them, but can no longer send there unless they share
    another family. A group that loses its only admin gets another one
    (docs/decisions/0005-last-admin-of-a-group.md).

    Args:
        session: the transaction; it locks the family, then the conversations, and the user's direct conversations.
        actor_id: the user who removes.
        family_id: the family.
        user_id: the user to remove; the actor, in order to leave.

    Raises:
        NotFound: the actor or the user does not belong to the family.
        NotAdmin: the actor is a plain member and the user is someone else.
        LastAdmin: the user is the only admin of the family.
    """
    return _remove(session, actor_id, _lock_membership(session, actor_id, family_id, user_id))


def remove_member_by_operator(session: Session, family_id: str, user_id: str) -> Removal:
    """Remove a user from a family on behalf of the server's operator, as `remove_member` does.

    Raises:
        NotFound: the user does not belong to the family.
        LastAdmin: the user is the only admin of the family.
    """
    lock_families(session, [family_id])
    return _remove(session, None, _membership(session, family_id, user_id))


def change_role(session: Session, actor_id: str, family_id: str, user_id: str, role: FamilyRole) -> FamilyMember:
    """Make a member an admin, a plain member or a child.

    Args:
        session: the transaction; it locks the family.
        actor_id: the family admin.
        family_id: the family.
        user_id: the member.
        role: the new role.

    Raises:
        NotFound: the actor or the user does not belong to the family.
        NotAdmin: the actor is a plain member.
        LastAdmin: the user is the only admin of the family.
    """
    membership = _lock_membership(session, actor_id, family_id, user_id, admin_only=True)
    return _set_role(session, actor_id, membership, role)


def change_role_by_operator(session: Session, family_id: str, user_id: str, role: FamilyRole) -> FamilyMember:
    """Change a member's role on behalf of the server's operator.

    Raises:
        NotFound: the user does not belong to the family.
        LastAdmin: the user is the only admin of the family.
    """
    lock_families(session, [family_id])
    return _set_role(session, None, _membership(session, family_id, user_id), role)


def family_conversation(session: Session, family_id: str) -> Conversation | None:
    """Return the conversation of a whole family; None if it has not been created."""
    query = select(Conversation).where(Conversation.family_id == family_id, Conversation.type == "family")
    return session.execute(query).scalar_one_or_none()


def family_conversation_views(
    session: Session, family_id: str, policies: EncryptionPolicies, vault: Vault
) -> dict[str, ConversationView] | None:
    """Return the family's conversation as each member sees it, by user id; None if it has not been created."""
    conversation = family_conversation(session, family_id)
    return None if conversation is None else views_by_member(session, conversation.id, policies, vault)


def lock_families(session: Session, family_ids: Iterable[str]) -> list[str]:
    """Lock the family rows until commit. Call before changing members or roles.

    Returns:
        the ids of the families that exist, in order.
    """
    # Two admins who leave at the same time must run one after the other: each would see the other as the remaining
    # admin. The rows are locked in the order of their ids, to avoid deadlocks. SQLite ignores FOR UPDATE; it has one
    # writer anyway.
    locking = (
        select(Family.id).where(Family.id.in_(set(family_ids))).order_by(Family.id).with_for_update(key_share=True)
    )
    return list(session.execute(locking).scalars())


def require_other_family_admin(session: Session, family_id: str) -> None:
    """Check that a family has another admin besides the one who loses the role. The caller must have locked the family.

    Raises:
        LastAdmin: there is only one admin.
    """
    admins = select(func.count()).where(FamilyMembership.family_id == family_id, FamilyMembership.role == "admin")
    if session.execute(admins).scalar_one() < 2:  # noqa: PLR2004 - the admin who loses the role, and another one
        raise LastAdmin


def _record(
    session: Session, action: Action, actor_id: str | None, membership: FamilyMembership, role: FamilyRole | None = None
) -> None:
    name = shown_name(session.get_one(Family, membership.family_id))
    event = AuditEvent(action, name=name, role=role, family_id=membership.family_id)
    record(session, event, concerning=membership.user_id, by=actor_id)


def _lock_membership(
    session: Session, actor_id: str, family_id: str, user_id: str, *, admin_only: bool = False
) -> FamilyMembership:
    """Lock the family and return a membership that the actor may change.

    Admins may change every membership. Plain members may change only their own, and none if `admin_only` is True.
    """
    role = role_in(session, family_id, actor_id)
    lock_families(session, [family_id])
    if role != "admin" and (actor_id != user_id or admin_only):
        raise NotAdmin
    return _membership(session, family_id, user_id)


def _membership(session: Session, family_id: str, user_id: str) -> FamilyMembership:
    membership = session.get(FamilyMembership, (family_id, user_id)) if is_id(user_id) else None
    if membership is None:
        raise NotFound
    require_intact(membership)
    return membership


def _remove(session: Session, actor_id: str | None, membership: FamilyMembership) -> Removal:
    family_id, user_id = membership.family_id, membership.user_id
    if membership.role == "admin":
        require_other_family_admin(session, family_id)
        revoke_invites_by(session, family_id, user_id)
    session.delete(membership)
    mark_access_removed(session)
    session.flush()
    _record(session, "family_member_removed", actor_id, membership)
    return _leave_conversations(session, actor_id, family_id, user_id)


def _set_role(session: Session, actor_id: str | None, membership: FamilyMembership, role: FamilyRole) -> FamilyMember:
    if membership.role == "admin" and role != "admin":
        require_other_family_admin(session, membership.family_id)
        revoke_invites_by(session, membership.family_id, membership.user_id)
    if membership.role != role:
        if membership.role == "child":
            _forget_ended_contacts(session, membership)
        membership.role = role
        session.flush()
        _record(session, "family_role_changed", actor_id, membership, role)
    return FamilyMember(profile_of(session, membership.user_id), role, membership.joined_at)


def _forget_ended_contacts(session: Session, membership: FamilyMembership) -> None:
    """Restore the contacts that guardians ended: for a user who is not a child any longer, no one could."""
    session.execute(
        delete(EndedContact).where(
            EndedContact.family_id == membership.family_id, EndedContact.child_id == membership.user_id
        )
    )


def _leave_conversations(session: Session, actor_id: str | None, family_id: str, user_id: str) -> Removal:
    shared = (
        select(Conversation.id)
        .join(Participant, Participant.conversation_id == Conversation.id)
        .where(
            or_(Conversation.family_id == family_id, Conversation.type == "direct"),
            Participant.user_id == user_id,
        )
    )
    # Contact ends with the membership. Without the lock of the direct conversations, the journal could store a message
    # there after this transaction.
    locked = lock_conversations(session, session.execute(shared).scalars())
    conversations = [conversation for conversation in locked if conversation.type != "direct"]
    direct = tuple(conversation.id for conversation in locked if conversation.type == "direct")
    for conversation in conversations:
        if conversation.type == "family":
            remove_participant(session, conversation.id, user_id)
    groups = [conversation for conversation in conversations if conversation.type == "group"]
    promoted = remove_from_groups(session, actor_id, groups, user_id)
    return Removal(
        user_id, tuple((conversation.type, conversation.id) for conversation in conversations), promoted, direct
    )
