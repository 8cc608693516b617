"""Deletes an account, and afterwards the rows that have become unreachable.

Messages in conversations with others stay, with the deleted user shown as a former member. The notes to self, and the
conversations and families that have no members left, are deleted. See docs/decisions/0009-deleting-an-account.md.

    deletion = await services.write_between_batches(delete_account, user_id)
    while await services.write(delete_orphans):
        pass
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, CursorResult, Delete, Update, delete, exists, select, update
from sqlalchemy.orm import Session

from famichat.accounts.account_deletion import erase_account
from famichat.accounts.audit_log import AuditEvent, record
from famichat.accounts.device import Device
from famichat.accounts.invite import Invite, revoke_invites_by
from famichat.accounts.user import User
from famichat.chat.families.membership import lock_families, require_other_family_admin
from famichat.chat.groups.membership import check_admin_can_leave
from famichat.chat.groups.roles import is_admin
from famichat.chat.lock import lock_conversations
from famichat.chat.records.conversation import Conversation, ConversationType
from famichat.chat.records.family import Family, FamilyMembership
from famichat.chat.records.message import Message
from famichat.chat.records.participant import Participant

BATCH = 2000
"""Messages per transaction of `delete_orphans`. Other writes wait for it, so it must take a fraction of a second."""


@dataclass(frozen=True, slots=True)
class AccountDeletion:
    """The result of deleting an account.

    Attributes:
        user_id: the deleted user.
        left: the conversations (type and id) of which the user was a member.
        remaining: the ids of those that still have members.
        family_ids: the families of which the user was a member.
    """

    user_id: str
    left: tuple[tuple[ConversationType, str], ...]
    remaining: tuple[str, ...]
    family_ids: tuple[str, ...]


def delete_account(session: Session, user_id: str) -> AccountDeletion:
    """Delete an account with its memberships, devices and profile. Messages to others stay.

    The caller must have authenticated the user.

    Args:
        session: the transaction; it removes access, so it must run between two batches of the journal.
        user_id: the account; it must exist.

    Raises:
        LastAdmin: the user is the only admin of a family or group with other members.
    """
    # Lock before checking for other admins: otherwise two admins of a group who delete their accounts at the same
    # time could each see the other one as the remaining admin. Families come before conversations everywhere, so that
    # concurrent transactions do not deadlock.
    family_ids = lock_families(session, _families_of(session, user_id))
    conversations = lock_conversations(session, _conversations_of(session, user_id))
    for family_id in family_ids:
        _check_can_leave_family(session, family_id, user_id)
        revoke_invites_by(session, family_id, user_id)
    for conversation in conversations:
        if is_admin(session, conversation.id, user_id):
            check_admin_can_leave(session, conversation.id, user_id)
    left = tuple((conversation.type, conversation.id) for conversation in conversations)
    erase_account(session, user_id)
    _delete_invites_of_empty_families(session, family_ids)
    inhabited = select(Participant.conversation_id).where(Participant.conversation_id.in_([id_ for _, id_ in left]))
    return AccountDeletion(user_id, left, tuple(session.execute(inhabited.distinct()).scalars()), tuple(family_ids))


def delete_account_by_operator(session: Session, user_id: str) -> AccountDeletion:
    """Delete an account on behalf of the server's operator, and record that in the audit log.

    Raises:
        LastAdmin: see `delete_account`.
    """
    deletion = delete_account(session, user_id)
    record(session, AuditEvent("account_deleted"), concerning=user_id, by=None)
    return deletion


def delete_orphans(session: Session) -> bool:
    """Delete one batch of unreachable rows: devices of deleted users, conversations and families without members.

    This is the slow part of deleting an account, so it runs after the commit of `delete_account`. It is idempotent: a
    server that was killed in between continues at its next start.

    Returns:
        True if there may be more rows; call it again.
    """
    orphaned_devices = select(Device.id).join(User, User.id == Device.user_id).where(User.deleted_at.is_not(None))
    # Messages refer to their device. Clear these references in batches: the foreign key (ON DELETE SET NULL) would
    # update all of them in one long transaction.
    sent = select(Message.id).where(Message.device_id.in_(orphaned_devices)).limit(BATCH)
    if _affected(session, update(Message).where(Message.id.in_(sent)).values(device_id=None)) == BATCH:
        return True
    session.execute(delete(Device).where(Device.id.in_(orphaned_devices)))
    # For the same reason messages are deleted before their conversation, whose deletion cascades.
    empty = select(Conversation.id).where(~exists().where(Participant.conversation_id == Conversation.id))
    messages = select(Message.id).where(Message.conversation_id.in_(empty)).limit(BATCH)
    if _affected(session, delete(Message).where(Message.id.in_(messages))) == BATCH:
        return True
    session.execute(delete(Conversation).where(Conversation.id.in_(empty)))
    session.execute(
        delete(Family).where(~_has_members(Family.id), ~exists().where(Conversation.family_id == Family.id))
    )
    return False


def _families_of(session: Session, user_id: str) -> list[str]:
    statement = select(FamilyMembership.family_id).where(FamilyMembership.user_id == user_id)
    return list(session.execute(statement).scalars())


def _conversations_of(session: Session, user_id: str) -> list[str]:
    statement = select(Participant.conversation_id).where(Participant.user_id == user_id)
    return list(session.execute(statement).scalars())


def _check_can_leave_family(session: Session, family_id: str, user_id: str) -> None:
    membership = session.get_one(FamilyMembership, (family_id, user_id))
    others = select(FamilyMembership.user_id).where(
        FamilyMembership.family_id == family_id, FamilyMembership.user_id != user_id
    )
    if membership.role == "admin" and session.execute(others.limit(1)).first() is not None:
        require_other_family_admin(session, family_id)


def _delete_invites_of_empty_families(session: Session, family_ids: list[str]) -> None:
    """Delete invitations to families without members: a newcomer would join a family that has no admin."""
    session.execute(delete(Invite).where(Invite.family_id.in_(family_ids), ~_has_members(Invite.family_id)))


def _has_members(family_id: Any) -> ColumnElement[bool]:
    return exists().where(FamilyMembership.family_id == family_id)


def _affected(session: Session, change: Update | Delete) -> int:
    result = session.execute(change, execution_options={"synchronize_session": False})
    return result.rowcount if isinstance(result, CursorResult) else 0
