"""Renames a conversation, and validates the names of conversations and families."""

import unicodedata

from sqlalchemy.orm import Session

from famichat.chat.errors import InvalidName, NotAdmin, NotGroupConversation
from famichat.chat.records.conversation import MAX_NAME, Conversation, Role

MAY_BE_RENAMED: frozenset[str] = frozenset({"group", "family"})


# They turn around the text that follows a name: U+202A-202E, U+2066-2069 (Unicode TR 9, section 2).
_BIDI_CONTROLS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


_NOT_IN_A_NAME = frozenset({"Cc", "Cs", "Co", "Cn", "Zl", "Zp"})


def rename(session: Session, conversation: Conversation, name: str, *, role: Role) -> None:
    """Give a conversation another name, on behalf of somebody whose role in it is `role`.

    Raises:
        NotGroupConversation: a self or direct conversation has no name of its own.
        NotAdmin: only an admin of the group, or of the family, names it.
        InvalidName: see `checked_name`.
    """
    if conversation.type not in MAY_BE_RENAMED:
        raise NotGroupConversation
    if role != "admin":
        raise NotAdmin
    conversation.name = checked_name(name)
    session.flush()


def checked_name(name: str) -> str:
    """A name as it is kept: composed (NFC), without white space around it.

    Raises:
        InvalidName: it is empty or too long, or has control characters, line breaks or bidi controls in it.
    """
    if len(name) > 4 * MAX_NAME:
        raise InvalidName
    kept = unicodedata.normalize("NFC", name).strip()
    if not 1 <= len(kept) <= MAX_NAME or any(_has_no_place(char) for char in kept):
        raise InvalidName
    return kept


def _has_no_place(char: str) -> bool:
    return char in _BIDI_CONTROLS or unicodedata.category(char) in _NOT_IN_A_NAME
