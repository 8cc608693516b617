"""Records in the database how this node is, and knows what the others recorded."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from importlib.metadata import version

from famichat.app.lifecycle import Lifecycle
from famichat.storage.base import new_id
from famichat.storage.database import Database
from famichat.storage.errors import StorageUnavailable
from famichat.storage.node import REFRESH_SECONDS, Nodes, forget, refresh

ISOLATED_ROUNDS = 5
"""For how many rounds a node receives nothing before it is isolated. If the broker fails for all nodes, they notice it
within seven seconds of each other, and none is isolated."""


class NodeRegistry:
    """This node among those that use the same database. On SQLite it is the only one, and nothing is recorded.

    Args:
        database: the database.
        hearing: returns whether this node receives the messages of the broker.
        misrouted_polls: returns how many long polls arrived here although another node had their session.
    """

    def __init__(self, database: Database, hearing: Callable[[], bool], misrouted_polls: Callable[[], int]) -> None:
        self._database = database
        self._is_alone = database.dialect == "sqlite"  # the lock of the data directory allows one process
        self._hearing = hearing
        self._misrouted_polls = misrouted_polls
        self._id = new_id()
        self._draining = False
        self._nodes = Nodes(draining=0, hearing=0)
        self._deaf_rounds = 0

    @property
    def draining_nodes(self) -> int:
        """How many nodes send their clients away now, as of the last two seconds; at least 1, this one."""
        return max(1, self._nodes.draining)

    @property
    def is_isolated(self) -> bool:
        """Whether this node receives nothing from the broker, although another one does."""
        return self._deaf_rounds >= ISOLATED_ROUNDS and self._nodes.hearing > 0 and not self._hearing()

    async def start(self, lifecycle: Lifecycle) -> None:
        """Record that this node is running, until it stops.

        Raises:
            StorageUnavailable: the database did not answer.
        """
        if self._is_alone:
            return
        await self.refresh()
        lifecycle.on_stop_await(self.stop)
        lifecycle.start("node registry", self.run)

    async def refresh(self) -> None:
        """Record how this node is, and count the others.

        Raises:
            StorageUnavailable: the database did not answer.
        """
        hearing = self._hearing()
        self._deaf_rounds = 0 if hearing else self._deaf_rounds + 1
        self._nodes = await self._database.transaction(
            partial(
                refresh,
                node_id=self._id,
                release=version("famichat"),
                draining=self._draining,
                hearing=hearing,
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
        if not self._is_alone:
            with suppress(StorageUnavailable):
                await self.refresh()

    async def stop(self) -> None:
        """Record that this node has stopped."""
        with suppress(StorageUnavailable):  # the record expires
            await self._database.transaction(partial(forget, node_id=self._id))
