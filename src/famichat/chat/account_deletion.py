"""Deleting an account, and what no one can reach afterwards.

Messages in conversations with other people stay; their sender is then a former member. Notes to self, and conversations
and families that have no members left, are deleted.

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
from famichat.chat.families.membership import keep_an_admin_of, lock_families
from famichat.chat.groups.membership import may_leave
from famichat.chat.groups.roles import is_admin
from famichat.chat.lock import lock_conversations
from famichat.chat.records.conversation import Conversation, ConversationType
from famichat.chat.records.family import Family, FamilyMembership
from famichat.chat.records.message import Message
from famichat.chat.records.participant import Participant

BATCH = 2000
"""Messages deleted per transaction. It takes a fraction of a second, during which other writes wait."""


@dataclass(frozen=True, slots=True)
class AccountDeletion:
    """A deleted account, and where the user was a member.

    Attributes:
        user_id: the user.
        left: the user's conversations (type and id).
        remaining: the ids of those that still have members.
        family_ids: the user's families.
    """

    user_id: str
    left: tuple[tuple[ConversationType, str], ...]
    remaining: tuple[str, ...]
    family_ids: tuple[str, ...]


def delete_account(session: Session, user_id: str) -> AccountDeletion:
    """Delete an account: remove the user from every family and conversation, and erase everything except messages.

    The caller has verified that the user wants this.

    Args:
        session: the transaction; it removes access, so it must run between two batches of the journal.
        user_id: the user.

    Raises:
        LastAdmin: a family or group with other members would have no admin.
    """
    family_ids = lock_families(session, _families_of(session, user_id))
    conversations = lock_conversations(session, _conversations_of(session, user_id))
    for family_id in family_ids:
        _may_leave_family(session, family_id, user_id)
        revoke_invites_by(session, family_id, user_id)
    for conversation in conversations:
        if is_admin(session, conversation.id, user_id):
            may_leave(session, conversation.id, user_id)
    left = tuple((each.type, each.id) for each in conversations)
    erase_account(session, user_id)
    _close_empty_families(session, family_ids)
    remaining = select(Participant.conversation_id).where(Participant.conversation_id.in_([id_ for _, id_ in left]))
    return AccountDeletion(user_id, left, tuple(session.execute(remaining.distinct()).scalars()), tuple(family_ids))


def delete_account_by_operator(session: Session, user_id: str) -> AccountDeletion:
    """Delete an account as the server operator, and record it in the audit log.

    Raises:
        LastAdmin: see `delete_account`.
    """
    deletion = delete_account(session, user_id)
    record(session, AuditEvent("account_deleted"), concerning=user_id, by=None)
    return deletion


def delete_orphans(session: Session) -> bool:
    """Delete one batch of what no one can reach after account deletions.

    These are the devices of deleted accounts, and conversations and families without members. It is the slow part, so
    it runs after the commit of the deletion itself; a server that was killed meanwhile continues at its next start.

    Returns:
        whether there may be more.
    """
    of_the_deleted = select(Device.id).join(User, User.id == Device.user_id).where(User.deleted_at.is_not(None))
    sent = select(Message.id).where(Message.device_id.in_(of_the_deleted)).limit(BATCH)
    if _touched(session, update(Message).where(Message.id.in_(sent)).values(device_id=None)) == BATCH:
        return True
    session.execute(delete(Device).where(Device.id.in_(of_the_deleted)))
    empty = select(Conversation.id).where(~exists().where(Participant.conversation_id == Conversation.id))
    said = select(Message.id).where(Message.conversation_id.in_(empty)).limit(BATCH)
    if _touched(session, delete(Message).where(Message.id.in_(said))) == BATCH:
        return True
    session.execute(delete(Conversation).where(Conversation.id.in_(empty)))
    session.execute(delete(Family).where(~_is_of(Family.id), ~exists().where(Conversation.family_id == Family.id)))
    return False


def _families_of(session: Session, user_id: str) -> list[str]:
    theirs = select(FamilyMembership.family_id).where(FamilyMembership.user_id == user_id)
    return list(session.execute(theirs).scalars())


def _conversations_of(session: Session, user_id: str) -> list[str]:
    theirs = select(Participant.conversation_id).where(Participant.user_id == user_id)
    return list(session.execute(theirs).scalars())


def _may_leave_family(session: Session, family_id: str, user_id: str) -> None:
    membership = session.get_one(FamilyMembership, (family_id, user_id))
    others = select(FamilyMembership.user_id).where(
        FamilyMembership.family_id == family_id, FamilyMembership.user_id != user_id
    )
    if membership.role == "admin" and session.execute(others.limit(1)).first() is not None:
        keep_an_admin_of(session, family_id)


def _close_empty_families(session: Session, family_ids: list[str]) -> None:
    """Delete the invites into families that have no members: a person who accepted one would find no admin."""
    session.execute(delete(Invite).where(Invite.family_id.in_(family_ids), ~_is_of(Invite.family_id)))


def _is_of(family_id: Any) -> ColumnElement[bool]:
    return exists().where(FamilyMembership.family_id == family_id)


def _touched(session: Session, change: Update | Delete) -> int:
    done = session.execute(change, execution_options={"synchronize_session": False})
    return done.rowcount if isinstance(done, CursorResult) else 0
