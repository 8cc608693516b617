"""How somebody sees a conversation: hidden until the next message, archived until further notice, muted for a while.

Each is one person's own affair, and doing it twice is doing it once. A message shows a hidden conversation again (the
journal does that, with the message), and so does asking for the same conversation anew; one that is archived stays so.

Each is kept in that person's own row, not in one list on the conversation: of many who hide it at once, all are kept.

    seen = database.run(lambda session: hide_conversation(session, maja_id, conversation_id))
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy.orm import Session

from famichat.chat.access import Access, conversation_for
from famichat.storage.base import now

FOR_EVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class ViewSettingsResult:
    """A conversation as somebody sees it from now on. `changed` is False when it was seen so already."""

    access: Access
    changed: bool


def hide_conversation(session: Session, user_id: str, conversation_id: str) -> ViewSettingsResult:
    """Put a conversation away until something is said in it.

    Raises:
        NotFound: as `conversation_for` does, as all functions here.
    """
    access = conversation_for(session, user_id, conversation_id)
    return _seen(session, access, hidden_at=access.participant.hidden_at or now())


def unhide_conversation(session: Session, user_id: str, conversation_id: str) -> ViewSettingsResult:
    """Show a hidden conversation again."""
    return _seen(session, conversation_for(session, user_id, conversation_id), hidden_at=None)


def archive_conversation(session: Session, user_id: str, conversation_id: str) -> ViewSettingsResult:
    """Put a conversation away, whatever is said in it."""
    access = conversation_for(session, user_id, conversation_id)
    return _seen(session, access, archived_at=access.participant.archived_at or now())


def unarchive_conversation(session: Session, user_id: str, conversation_id: str) -> ViewSettingsResult:
    """Take a conversation out of the archive."""
    return _seen(session, conversation_for(session, user_id, conversation_id), archived_at=None)


def mute_conversation(
    session: Session, user_id: str, conversation_id: str, until: datetime | None = None
) -> ViewSettingsResult:
    """Let a conversation make no noise until a moment, or for ever. A second time replaces the first.

    A moment that is past mutes nothing.
    """
    return _seen(session, conversation_for(session, user_id, conversation_id), muted_until=until or FOR_EVER)


def unmute_conversation(session: Session, user_id: str, conversation_id: str) -> ViewSettingsResult:
    """Let a conversation make noise again."""
    return _seen(session, conversation_for(session, user_id, conversation_id), muted_until=None)


def _seen(session: Session, access: Access, **chosen: datetime | None) -> ViewSettingsResult:
    changed = any(getattr(access.participant, name) != value for name, value in chosen.items())
    for name, value in chosen.items():
        setattr(access.participant, name, value)
    session.flush()
    return ViewSettingsResult(access, changed)
