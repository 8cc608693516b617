"""How somebody sees a conversation: hidden until the next message, archived until further notice, muted for a while.

Each is one person's own affair, and doing it twice is doing it once. A message shows a hidden conversation again (the
journal does that, with the message); one that is archived stays so.
"""

from datetime import UTC, datetime

from sqlalchemy.orm import Session

from famichat.chat.access import Access, conversation_for
from famichat.storage.base import now

FOR_EVER = datetime.max.replace(tzinfo=UTC)


def hide(session: Session, user_id: str, conversation_id: str) -> Access:
    """Put a conversation away until something is said in it.

    Raises:
        NotFound: as `conversation_for` does, as all functions here.
    """
    access = conversation_for(session, user_id, conversation_id)
    access.participant.hidden_at = access.participant.hidden_at or now()
    return _kept(session, access)


def unhide(session: Session, user_id: str, conversation_id: str) -> Access:
    """Show a hidden conversation again."""
    access = conversation_for(session, user_id, conversation_id)
    access.participant.hidden_at = None
    return _kept(session, access)


def archive(session: Session, user_id: str, conversation_id: str) -> Access:
    """Put a conversation away, whatever is said in it."""
    access = conversation_for(session, user_id, conversation_id)
    access.participant.archived_at = access.participant.archived_at or now()
    return _kept(session, access)


def unarchive(session: Session, user_id: str, conversation_id: str) -> Access:
    """Take a conversation out of the archive."""
    access = conversation_for(session, user_id, conversation_id)
    access.participant.archived_at = None
    return _kept(session, access)


def mute(session: Session, user_id: str, conversation_id: str, until: datetime | None = None) -> Access:
    """Let a conversation make no noise until a moment, or for ever. A second time replaces the first.

    A moment that is past mutes nothing.
    """
    access = conversation_for(session, user_id, conversation_id)
    access.participant.muted_until = until or FOR_EVER
    return _kept(session, access)


def unmute(session: Session, user_id: str, conversation_id: str) -> Access:
    """Let a conversation make noise again."""
    access = conversation_for(session, user_id, conversation_id)
    access.participant.muted_until = None
    return _kept(session, access)


def _kept(session: Session, access: Access) -> Access:
    session.flush()
    return access
