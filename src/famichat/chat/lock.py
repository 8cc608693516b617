"""Locks conversation rows until commit."""

from collections.abc import Iterable

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from famichat.chat.records.conversation import Conversation


def lock_conversations(session: Session, conversation_ids: Iterable[str]) -> list[Conversation]:
    """Hold conversations still until the commit: whoever changes who takes part in one calls this first.

    The journal, which asks who takes part when it has locked the row, then writes before this transaction or after it.
    The row is written as well, to what it is: a transaction that saw it earlier must start again, and not decide by
    what was true before.
    """
    held = (
        select(Conversation)
        .where(Conversation.id.in_(set(conversation_ids)))
        .order_by(Conversation.id)  # the journal locks in this order, too
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    found = list(session.execute(held).scalars())
    ids = [conversation.id for conversation in found]
    session.execute(
        update(Conversation).where(Conversation.id.in_(ids)).values(updated_at=Conversation.updated_at),
        execution_options={"synchronize_session": False},
    )
    return found
