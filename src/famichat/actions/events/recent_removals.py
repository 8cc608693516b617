"""Remembers who has just been removed from which conversation, so that they receive nothing that was read before.

A view of a conversation is read from the database at one time and published at a later one. A member may be removed in
between. Only removals during that time matter, so a few seconds of memory are enough.
"""

import time
from collections.abc import Callable

REMEMBERED_SECONDS = 10.0


class RecentRemovals:
    """Remembers removals for `REMEMBERED_SECONDS`.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._removed: dict[tuple[str, str], float] = {}

    def add(self, user_id: str, conversation_id: str) -> None:
        """Record that a user was removed from a conversation, or left it."""
        timestamp = self._clock()
        self._removed = {pair: since for pair, since in self._removed.items() if timestamp - since < REMEMBERED_SECONDS}
        self._removed[user_id, conversation_id] = timestamp

    def discard(self, user_id: str, conversation_id: str) -> None:
        """Record that a user is a member of a conversation again."""
        self._removed.pop((user_id, conversation_id), None)

    def __contains__(self, pair: tuple[str, str]) -> bool:
        """Return whether `(user_id, conversation_id)` was removed a moment ago."""
        since = self._removed.get(pair)
        return since is not None and self._clock() - since < REMEMBERED_SECONDS
