"""Combines the presence changes of a topic into at most one diff per period.

If all devices of a conversation reconnect at once, a diff per change would make the number of frames quadratic: with
1,000 devices, a million. Phoenix.Tracker combines changes in the same way (`broadcast_period`).
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class PresenceEntry:
    """One client on one topic. `ref` identifies the entry: clients add and remove entries by it alone (rule 44)."""

    topic: str
    key: str
    ref: str
    meta: dict[str, Any]


Entries = Sequence[PresenceEntry]


class PresenceDiffs:
    """Sends the first change of a topic immediately, and the changes of the following period together at its end.

    Args:
        send: sends the joins and leaves of a topic to its clients.
        period: seconds between two diffs of a topic; 0 to send every change immediately.
    """

    def __init__(self, send: Callable[[str, Entries, Entries], None], period: float) -> None:
        self._send = send
        self._period = period
        self._waiting: dict[str, _Changes] = {}

    def add(self, topic: str, joins: Entries, leaves: Entries) -> None:
        """Send or queue changes of a topic."""
        waiting = self._waiting.get(topic)
        if waiting is not None:
            waiting.add(joins, leaves)
            return
        self._send(topic, joins, leaves)
        if self._period:
            self._wait(topic)

    def _wait(self, topic: str) -> None:
        self._waiting[topic] = _Changes()
        asyncio.get_running_loop().call_later(self._period, self._flush, topic)

    def _flush(self, topic: str) -> None:
        changes = self._waiting.pop(topic)
        if changes.joins or changes.leaves:
            self._wait(topic)
            self._send(topic, list(changes.joins.values()), list(changes.leaves.values()))


class _Changes:
    """The changes of a topic that were not sent yet, by `ref`.

    The last change of an entry replaces an earlier one, but is sent in any case: a client that joined in between may
    have received the entry in its `presence_state`. Clients ignore joins of entries that they have, and leaves of
    others.
    """

    def __init__(self) -> None:
        self.joins: dict[str, PresenceEntry] = {}
        self.leaves: dict[str, PresenceEntry] = {}

    def add(self, joins: Entries, leaves: Entries) -> None:
        for entry in leaves:
            self.joins.pop(entry.ref, None)
            self.leaves[entry.ref] = entry
        for entry in joins:
            self.leaves.pop(entry.ref, None)
            self.joins[entry.ref] = entry
