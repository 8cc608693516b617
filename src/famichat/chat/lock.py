"""Row locks on conversations, held until commit."""

from collections.abc import Iterable, Sequence

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from famichat.chat.records.conversation import Conversation
from famichat.storage.turns import note_contended

_IDS_PER_STATEMENT = 1000
"""SQLite accepts at most 32,766 parameters per statement by default, PostgreSQL 65,535."""


def lock_conversations(session: Session, conversation_ids: Iterable[str]) -> list[Conversation]:
    """Lock the conversation rows until commit. Call before changing membership or roles.

    The journal locks the same rows before it reads the members, so a batch of messages commits either before this
    transaction or after it, never in between: no message of a removed member is stored after the removal.

    Args:
        session: the transaction.
        conversation_ids: the conversations to lock, in any order and with repetitions; unknown ids are ignored.

    Returns:
        the conversations that exist, in the order of their ids, with their attributes read again under the lock.
    """
    ids = sorted(set(conversation_ids))
    note_contended(session, ids)
    chunks = [ids[start : start + _IDS_PER_STATEMENT] for start in range(0, len(ids), _IDS_PER_STATEMENT)]
    return [conversation for chunk in chunks for conversation in _lock(session, chunk)]


def _lock(session: Session, conversation_ids: Sequence[str]) -> list[Conversation]:
    locking = (
        select(Conversation)
        .where(Conversation.id.in_(conversation_ids))
        # The journal locks in the same order. Two transactions that lock in different orders can deadlock.
        .order_by(Conversation.id)
        # FOR NO KEY UPDATE: inserts whose foreign key refers to a conversation are not blocked.
        .with_for_update(key_share=True)
        # Without this, the session would return attributes that it loaded before it waited for the lock.
        .execution_options(populate_existing=True)
    )
    conversations = list(session.execute(locking).scalars())
    ids = [conversation.id for conversation in conversations]
    # A lock alone leaves no row version. This update, which changes nothing, makes a concurrent transaction whose
    # snapshot is older fail with a serialization error and run again, instead of deciding on outdated membership.
    session.execute(
        update(Conversation).where(Conversation.id.in_(ids)).values(updated_at=Conversation.updated_at),
        execution_options={"synchronize_session": False},
    )
    return conversations
