"""Who has just gone from which conversation: what was read before that must not be told to them after it.

A view of a conversation is read from the database in one moment and announced in a later one. In between, somebody may
be put out. Only those who go while such a view is under way matter, so a few seconds of memory are enough.
"""

import time
from collections.abc import Callable

REMEMBERED_SECONDS = 10.0


class RecentRemovals:
    """Remembers departures for a while.

    Args:
        clock: seconds that never go back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._gone: dict[tuple[str, str], float] = {}

    def went(self, user_id: str, conversation_id: str) -> None:
        """Note that somebody is out of a conversation."""
        moment = self._clock()
        self._gone = {pair: since for pair, since in self._gone.items() if moment - since < REMEMBERED_SECONDS}
        self._gone[user_id, conversation_id] = moment

    def came(self, user_id: str, conversation_id: str) -> None:
        """Note that somebody is in it (again)."""
        self._gone.pop((user_id, conversation_id), None)

    def just_went(self, user_id: str, conversation_id: str) -> bool:
        """Whether somebody went a moment ago, and must not hear of the conversation."""
        since = self._gone.get((user_id, conversation_id))
        return since is not None and self._clock() - since < REMEMBERED_SECONDS
