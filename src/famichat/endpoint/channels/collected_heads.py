"""The positions of several conversations in one frame, instead of one frame per conversation."""

import asyncio
from collections.abc import Callable

from famichat.actions.events.payloads import Head, Heads


class CollectedHeads:
    """Collects the positions that are broadcast together, and sends them to one connection.

    Args:
        push: sends the collected positions.
    """

    def __init__(self, push: Callable[[Heads], None]) -> None:
        self._push = push
        self._waiting: dict[str, Head] = {}

    def add(self, conversation_id: str, head: Head) -> None:
        """Send a position together with all others of this round of the broadcaster."""
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self._send)
        self._waiting[conversation_id] = head

    def _send(self) -> None:
        heads, self._waiting = self._waiting, {}
        self._push({"heads": heads})
