"""Pinning messages for all members, and starring and hiding them for oneself."""

from sqlalchemy.orm import Session

from famichat.accounts.sign_in.token import Identity
from famichat.actions.services import Services
from famichat.chat.access import conversation_for
from famichat.chat.messages import marks
from famichat.chat.messages.schema import MarksView
from famichat.chat.records.message_mark import Mark
from famichat.chat.records.participant import participants


async def list_marks(services: Services, actor: Identity, conversation_id: str) -> MarksView:
    """Return the marked messages of a conversation.

    Raises:
        NotFound: the actor is not a member, or there is no such conversation.
        RateLimited: too many reads.
    """
    services.rate_limits.check("read", actor)
    return await services.read(
        lambda session: marks.marks_of(session, conversation_for(session, actor.user_id, conversation_id))
    )


async def set_pin(services: Services, actor: Identity, conversation_id: str, message_id: str, *, pinned: bool) -> None:
    """Pin or unpin a message, and tell the members.

    Raises:
        ChatError: see `marks.pin`.
        RateLimited: too many changes.
    """
    services.rate_limits.check("change", actor)
    change = marks.pin if pinned else marks.unpin

    def work(session: Session) -> list[str]:
        access = conversation_for(session, actor.user_id, conversation_id)
        changed = change(session, access, message_id)
        return participants(session, conversation_id) if changed else []

    services.broadcasts.marks_changed(await services.write(work), conversation_id)


async def set_mark(
    services: Services, actor: Identity, conversation_id: str, message_id: str, mark: Mark, *, marked: bool
) -> None:
    """Star or hide a message for the actor, or undo that, and tell the actor's devices.

    Raises:
        ChatError: see `marks.mark_message`.
        RateLimited: too many changes.
    """
    services.rate_limits.check("change", actor)
    change = marks.mark_message if marked else marks.unmark_message

    def work(session: Session) -> bool:
        return change(session, conversation_for(session, actor.user_id, conversation_id), message_id, mark)

    changed = await services.write(work)
    services.broadcasts.marks_changed([actor.user_id] if changed else [], conversation_id)
