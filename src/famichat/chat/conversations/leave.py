"""Leaving a direct conversation. The other member keeps the messages, and cannot send there any longer."""

from sqlalchemy.orm import Session

from famichat.chat.access import conversation_for
from famichat.chat.groups.membership import remove_participant
from famichat.chat.lock import lock_conversations


def leave_direct(session: Session, user_id: str, conversation_id: str) -> bool:
    """Leave a conversation if it is direct. The user comes back by creating it again: see `create`.

    Args:
        session: the transaction; it removes access, so it must run between two batches of the journal.
        user_id: the member who leaves.
        conversation_id: the conversation.

    Returns:
        False if the conversation has another type; nothing was changed.

    Raises:
        NotFound: the user is not a member of such a conversation.
    """
    if conversation_for(session, user_id, conversation_id).conversation.type != "direct":
        return False
    lock_conversations(session, [conversation_id])
    remove_participant(session, conversation_id, user_id)
    return True
