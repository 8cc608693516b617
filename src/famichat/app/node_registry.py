"""Records in the database that this node is running, and how many nodes are stopping."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from importlib.metadata import version

from famichat.storage.base import new_id
from famichat.storage.database import Database
from famichat.storage.errors import StorageUnavailable
from famichat.storage.node import REFRESH_SECONDS, forget, refresh


class NodeRegistry:
    """This node among those that use the same PostgreSQL.

    Args:
        database: PostgreSQL.
        misrouted_polls: returns how many long polls arrived here although another node had their session.
    """

    def __init__(self, database: Database, misrouted_polls: Callable[[], int]) -> None:
        self._database = database
        self._misrouted_polls = misrouted_polls
        self._id = new_id()
        self._draining = False
        self._draining_nodes = 0

    @property
    def draining_nodes(self) -> int:
        """How many nodes send their clients away now, as of the last two seconds; at least 1, this one."""
        return max(1, self._draining_nodes)

    async def refresh(self) -> None:
        """Record that this node is running, and count those that drain.

        Raises:
            StorageUnavailable: the database did not answer.
        """
        self._draining_nodes = await self._database.transaction(
            partial(
                refresh,
                node_id=self._id,
                release=version("famichat"),
                draining=self._draining,
                misrouted_polls=self._misrouted_polls(),
            )
        )

    async def run(self) -> None:
        """Refresh the record until cancelled. While the database does not answer, the last count is used."""
        while True:
            await asyncio.sleep(REFRESH_SECONDS)
            with suppress(StorageUnavailable):  # the database has reported it; the next round tries again
                await self.refresh()

    async def drain(self) -> None:
        """Record that this node sends its clients away."""
        self._draining = True
        with suppress(StorageUnavailable):
            await self.refresh()

    async def stop(self) -> None:
        """Record that this node has stopped."""
        with suppress(StorageUnavailable):  # the record expires
            await self._database.transaction(partial(forget, node_id=self._id))
