"""Blocking: each user may block any other user. The blocked user is not told."""

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from famichat.chat.contact import shared_conversations
from famichat.chat.errors import NotFound, OwnAccount
from famichat.chat.families.contacts import shares_family
from famichat.chat.lock import lock_conversations
from famichat.chat.records.contact import Block
from famichat.chat.records.conversation import Conversation
from famichat.storage.base import is_id, now
from famichat.storage.upsert import insert_for


def blocked_by(session: Session, user_id: str) -> list[Block]:
    """Return the blocks that a user has made, the oldest first."""
    statement = select(Block).where(Block.user_id == user_id).order_by(Block.inserted_at, Block.blocked_id)
    return list(session.execute(statement).scalars())


def block(session: Session, user_id: str, blocked_id: str) -> list[Conversation]:
    """Block a user; does nothing if the user is blocked already.

    Args:
        session: the transaction; it locks the direct conversations of the two, so that no message is stored after it.
        user_id: the user who blocks.
        blocked_id: the user to block.

    Returns:
        the conversations that the two share.

    Raises:
        OwnAccount: both are the same user.
        NotFound: the two share no family and no conversation, or there is no such user.
    """
    if user_id == blocked_id:
        raise OwnAccount
    shared = lock_shared_conversations(session, user_id, blocked_id)
    insert = insert_for(session, Block).values(user_id=user_id, blocked_id=blocked_id, inserted_at=now())
    session.execute(insert.on_conflict_do_nothing())
    return shared


def unblock(session: Session, user_id: str, blocked_id: str) -> list[Conversation]:
    """Remove a block, if there is one.

    Returns:
        the conversations that the two share.

    Raises:
        NotFound: the two share no family and no conversation, or there is no such user.
    """
    shared = lock_shared_conversations(session, user_id, blocked_id)
    session.execute(delete(Block).where(Block.user_id == user_id, Block.blocked_id == blocked_id))
    return shared


def lock_shared_conversations(session: Session, user_id: str, other_id: str) -> list[Conversation]:
    """Lock the direct conversations of two users until commit, and return all that they share.

    Raises:
        NotFound: the two share no family and no conversation, or there is no such user.
    """
    if not is_id(other_id):
        raise NotFound
    shared = shared_conversations(session, user_id, other_id)
    if not shared and not shares_family(session, user_id, other_id):
        raise NotFound
    lock_conversations(session, [each.id for each in shared if each.type == "direct"])
    return shared
