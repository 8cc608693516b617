"""How an account is deleted, and what becomes of what that person leaves behind.

What was said in conversations with others stays there, by somebody who is in none of them any more: a former member.
What nobody can read any more goes, too: the notes to self, and conversations and families that are empty then.

    farewell = database.run(lambda session: delete_account(session, user_id))
    while database.run(forget_remains):
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
"""How many messages are forgotten in one transaction: it takes a fraction of a second, and everybody waits for it."""


@dataclass(frozen=True, slots=True)
class AccountDeletion:
    """Who is gone, and from where.

    Attributes:
        user_id: the person.
        left: the conversations (type and id) that this person was in.
        remaining: the ids of those in which somebody still is.
        family_ids: the families that this person belonged to.
    """

    user_id: str
    left: tuple[tuple[ConversationType, str], ...]
    remaining: tuple[str, ...]
    family_ids: tuple[str, ...]


def delete_account(session: Session, user_id: str) -> AccountDeletion:
    """Let somebody go for good: out of every family and conversation, with everything but what was said to others.

    The person decides that; whoever calls has asked who it is.

    Raises:
        LastAdmin: a family, or a group, with other people in it would be without an admin.
    """
    family_ids = lock_families(session, _families_of(session, user_id))
    held = lock_conversations(session, _conversations_of(session, user_id))
    for family_id in family_ids:
        _may_leave_family(session, family_id, user_id)
        revoke_invites_by(session, family_id, user_id)
    for talk in held:
        if is_admin(session, talk.id, user_id):
            may_leave(session, talk.id, user_id)
    left = tuple((talk.type, talk.id) for talk in held)
    erase_account(session, user_id)
    _close_empty_families(session, family_ids)
    somebody = select(Participant.conversation_id).where(Participant.conversation_id.in_([id_ for _, id_ in left]))
    return AccountDeletion(user_id, left, tuple(session.execute(somebody.distinct()).scalars()), tuple(family_ids))


def delete_account_by_operator(session: Session, user_id: str) -> AccountDeletion:
    """Let somebody go for good because the operator of the server decided so, which goes on record.

    Raises:
        LastAdmin: see `delete_account`.
    """
    farewell = delete_account(session, user_id)
    record(session, AuditEvent("account_deleted"), concerning=user_id, by=None)
    return farewell


def delete_orphans(session: Session) -> bool:
    """Take out of the database what nobody can get at any more since accounts were deleted, a bit at a time.

    That is the devices of the deleted, and conversations and families without anybody in them. It is the slow part, so
    it comes after the commit that counts; a server that was killed meanwhile goes on with it at its next start.

    Returns:
        whether there may be more.
    """
    of_the_deleted = select(Device.id).join(User, User.id == Device.user_id).where(User.deleted_at.is_not(None))
    sent = select(Message.id).where(Message.device_id.in_(of_the_deleted)).limit(BATCH)
    if _touched(session, update(Message).where(Message.id.in_(sent)).values(device_id=None)) == BATCH:
        return True
    session.execute(delete(Device).where(Device.id.in_(of_the_deleted)))
    unread = select(Conversation.id).where(~exists().where(Participant.conversation_id == Conversation.id))
    said = select(Message.id).where(Message.conversation_id.in_(unread)).limit(BATCH)
    if _touched(session, delete(Message).where(Message.id.in_(said))) == BATCH:
        return True
    session.execute(delete(Conversation).where(Conversation.id.in_(unread)))
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
    """Let nobody come into a family in which nobody is: the first one would find neither an admin nor a soul."""
    session.execute(delete(Invite).where(Invite.family_id.in_(family_ids), ~_is_of(Invite.family_id)))


def _is_of(family_id: Any) -> ColumnElement[bool]:
    return exists().where(FamilyMembership.family_id == family_id)


def _touched(session: Session, change: Update | Delete) -> int:
    done = session.execute(change, execution_options={"synchronize_session": False})
    return done.rowcount if isinstance(done, CursorResult) else 0
