"""Finds out which devices are online, on this node or another, and therefore need no push notification.

Other nodes are queried over the broker. A node that does not answer in time counts as having none of the devices: at
worst, a device that received the message gets a notification too.
"""

import asyncio
from collections.abc import Callable, Collection
from typing import Any

from famichat.realtime.pubsub import PubSub
from famichat.storage.base import new_id

_WHERE, _HERE = "push_where", "push_here"
PATIENCE_SECONDS = 0.3


class OnlineDevices:
    """Queries all nodes for the connections of devices.

    Args:
        pubsub: knows the connections of this node and reaches the other nodes.
        connections_of: returns the connection id that all connections of a device share.
    """

    def __init__(self, pubsub: PubSub, connections_of: Callable[[str], str]) -> None:
        self._pubsub = pubsub
        self._connections_of = connections_of
        self._asked: dict[str, set[str]] = {}
        pubsub.handle(_WHERE, self._heard_question)
        pubsub.handle(_HERE, self._heard_answer)

    async def absent(self, device_ids: Collection[str]) -> set[str]:
        """Return those of the given devices that have no connection on any node."""
        away = set(device_ids) - self._here(device_ids)
        if away and self._pubsub.has_other_nodes:
            away -= await self._elsewhere(away)
        return away

    def _here(self, device_ids: Collection[str]) -> set[str]:
        return {each for each in device_ids if self._pubsub.is_connected(self._connections_of(each))}

    async def _elsewhere(self, device_ids: set[str]) -> set[str]:
        question = new_id()
        found = self._asked[question] = set[str]()
        self._pubsub.publish(_WHERE, {"question": question, "devices": sorted(device_ids)})
        try:
            await asyncio.sleep(PATIENCE_SECONDS)
        finally:
            del self._asked[question]
        return found

    def _heard_question(self, note: dict[str, Any]) -> None:
        if here := self._here(note["devices"]):
            self._pubsub.publish(_HERE, {"question": note["question"], "devices": sorted(here)})

    def _heard_answer(self, note: dict[str, Any]) -> None:
        if note["question"] in self._asked:
            self._asked[note["question"]].update(note["devices"])
