"""The cursor of the conversation list: the position of a conversation in it."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from famichat.chat.records.conversation import Conversation
from famichat.storage.base import is_id

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
# 17 digits reach into the year 5138, so every match is a valid `datetime`.
_TEXT: Final = re.compile(r"([0-9]{1,17})\.([0-9a-f-]{36})")


@dataclass(frozen=True, slots=True)
class ListCursor:
    """A position in a list that is ordered by last activity and id, both descending.

    It consists of values, not of a number of rows, so the pages behind it stay the same when a conversation moves to
    the front or is removed.

    Attributes:
        updated_at: the last activity of the conversation at this position.
        id: its id.
    """

    updated_at: datetime
    id: str

    @classmethod
    def of(cls, conversation: Conversation) -> "ListCursor":
        """Return the present position of a conversation."""
        return cls(conversation.updated_at, conversation.id)

    @classmethod
    def parse(cls, text: str) -> "ListCursor":
        """Parse the text of a cursor.

        Raises:
            ValueError: the text is malformed.
        """
        found = _TEXT.fullmatch(text)
        if found is None or not is_id(found[2]):
            raise ValueError("must be the `next_cursor` of an earlier page")
        return cls(_EPOCH + int(found[1]) * _MICROSECOND, found[2])

    def __str__(self) -> str:
        """Return the text that `parse` accepts. Clients must not interpret it."""
        return f"{(self.updated_at - _EPOCH) // _MICROSECOND}.{self.id}"
