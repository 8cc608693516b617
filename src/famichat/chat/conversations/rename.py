"""Renames a conversation, and validates the names of conversations and families."""

import unicodedata

from sqlalchemy.orm import Session

from famichat.chat.errors import InvalidName, NotAdmin, NotGroupConversation
from famichat.chat.records.conversation import MAX_NAME, Conversation, Role

RENAMABLE_TYPES: frozenset[str] = frozenset({"group", "family"})
"""The conversation types that have a name."""

# U+202A-202E and U+2066-2069 can reverse the text that is displayed after a name (Unicode UAX #9, section 2).
_BIDI_CONTROLS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
# Unicode categories: controls, surrogates, private use, unassigned, line and paragraph separators.
_DISALLOWED_CATEGORIES = frozenset({"Cc", "Cs", "Co", "Cn", "Zl", "Zp"})


def rename(session: Session, conversation: Conversation, name: str, *, role: Role) -> None:
    """Rename a group or family conversation.

    Args:
        session: the transaction.
        conversation: the conversation.
        name: the new name, not yet validated.
        role: the role of the acting user in the conversation.

    Raises:
        NotGroupConversation: self and direct conversations have no name.
        NotAdmin: the acting user is a plain member.
        InvalidName: see `checked_name`.
    """
    if conversation.type not in RENAMABLE_TYPES:
        raise NotGroupConversation
    if role != "admin":
        raise NotAdmin
    conversation.name = checked_name(name)
    session.flush()


def checked_name(name: str) -> str:
    """Return a name as it is stored: in NFC (Unicode UAX #15), without surrounding white space.

    Raises:
        InvalidName: the result is not 1 to 100 characters long, or contains control characters, line breaks or bidi
            controls.
    """
    if len(name) > 4 * MAX_NAME:  # refuse before normalizing: an attacker chooses the length
        raise InvalidName
    normalized = unicodedata.normalize("NFC", name).strip()
    if not 1 <= len(normalized) <= MAX_NAME or any(_is_disallowed(char) for char in normalized):
        raise InvalidName
    return normalized


def _is_disallowed(char: str) -> bool:
    return char in _BIDI_CONTROLS or unicodedata.category(char) in _DISALLOWED_CATEGORIES
