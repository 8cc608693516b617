"""The view settings of a conversation, separate for each member: hidden, archived, muted, pinned, marked unread.

A hidden conversation reappears with the next message (the journal resets the setting in the same transaction) and when
the member creates the same conversation again. An archived one stays archived. All functions are idempotent.

The settings are columns of the member's row in `conversation_participants`, not a list on the conversation: members who
change them at the same time do not overwrite each other.

    result = database.run(lambda session: hide_conversation(session, maja_id, conversation_id))
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy.orm import Session

from famichat.chat.access import Access, conversation_for
from famichat.storage.base import now

MUTED_INDEFINITELY = datetime.max.replace(tzinfo=UTC)
"""The value of `muted_until` for a conversation that is muted indefinitely."""


@dataclass(frozen=True, slots=True)
class ViewSettingsResult:
    """The conversation after a change of view settings. `changed` is False if it had these settings already."""

    access: Access
    changed: bool


def hide_conversation(session: Session, user_id: str, conversation_id: str) -> ViewSettingsResult:
    """Hide a conversation until its next message.

    Raises:
        NotFound: see `conversation_for`; this applies to all functions of this module.
    """
    access = conversation_for(session, user_id, conversation_id)
    return _apply(session, access, hidden_at=access.participant.hidden_at or now())


def unhide_conversation(session: Session, user_id: str, conversation_id: str) -> ViewSettingsResult:
    """Show a hidden conversation again."""
    return _apply(session, conversation_for(session, user_id, conversation_id), hidden_at=None)


def archive_conversation(session: Session, user_id: str, conversation_id: str) -> ViewSettingsResult:
    """Archive a conversation; new messages do not change that."""
    access = conversation_for(session, user_id, conversation_id)
    return _apply(session, access, archived_at=access.participant.archived_at or now())


def unarchive_conversation(session: Session, user_id: str, conversation_id: str) -> ViewSettingsResult:
    """Remove a conversation from the archive."""
    return _apply(session, conversation_for(session, user_id, conversation_id), archived_at=None)


def mute_conversation(
    session: Session, user_id: str, conversation_id: str, until: datetime | None = None
) -> ViewSettingsResult:
    """Mute the notifications of a conversation. Replaces an earlier mute.

    Args:
        session: the transaction.
        user_id: the member.
        conversation_id: the conversation.
        until: end of the mute, in UTC; None for indefinitely. A time in the past has no effect.
    """
    return _apply(session, conversation_for(session, user_id, conversation_id), muted_until=until or MUTED_INDEFINITELY)


def unmute_conversation(session: Session, user_id: str, conversation_id: str) -> ViewSettingsResult:
    """Turn the notifications of a conversation on again."""
    return _apply(session, conversation_for(session, user_id, conversation_id), muted_until=None)


def pin_conversation(session: Session, user_id: str, conversation_id: str) -> ViewSettingsResult:
    """Keep a conversation at the top of the list."""
    access = conversation_for(session, user_id, conversation_id)
    return _apply(session, access, pinned_at=access.participant.pinned_at or now())


def unpin_conversation(session: Session, user_id: str, conversation_id: str) -> ViewSettingsResult:
    """List a conversation by its latest activity again."""
    return _apply(session, conversation_for(session, user_id, conversation_id), pinned_at=None)


def mark_conversation_unread(session: Session, user_id: str, conversation_id: str) -> ViewSettingsResult:
    """Mark a conversation as unread until its client removes the mark; receipts and unread counts do not change."""
    access = conversation_for(session, user_id, conversation_id)
    return _apply(session, access, marked_unread_at=access.participant.marked_unread_at or now())


def unmark_conversation_unread(session: Session, user_id: str, conversation_id: str) -> ViewSettingsResult:
    """Remove the mark of `mark_conversation_unread`."""
    return _apply(session, conversation_for(session, user_id, conversation_id), marked_unread_at=None)


def _apply(session: Session, access: Access, **settings: datetime | None) -> ViewSettingsResult:
    changed = any(getattr(access.participant, name) != value for name, value in settings.items())
    for name, value in settings.items():
        setattr(access.participant, name, value)
    session.flush()
    return ViewSettingsResult(access, changed)
