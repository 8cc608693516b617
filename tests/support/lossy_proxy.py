"""A proxy between Famichat and PostgreSQL that can lose the response to a commit, so its outcome is unknown."""

import asyncio
from contextlib import suppress
from typing import Final, Self

COMMIT: Final = b"COMMIT\0"
STORES_MESSAGES: Final = b"INSERT INTO messages"


class LossyProxy:
    """Forwards bytes in both directions until it is told to lose a response. Use it as a context manager.

    Args:
        port: the port of PostgreSQL.
        statement: only connections that have sent this statement lose the response to a commit.
    """

    def __init__(self, port: int, statement: bytes = STORES_MESSAGES) -> None:
        self.lost = asyncio.Event()
        self._upstream = port
        self._statement = statement
        self._armed = False
        self._server: asyncio.Server | None = None

    @property
    def port(self) -> int:
        if self._server is None:
            raise RuntimeError("the proxy is not running")
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    def lose_an_answer(self) -> None:
        """Forward the next commit on such a connection, and cut the connection instead of forwarding the response."""
        self.lost.clear()
        self._armed = True

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._pass_both_ways, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()

    async def _pass_both_ways(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        database, to_database = await asyncio.open_connection("127.0.0.1", self._upstream)
        back = asyncio.create_task(_pass(database, to_client))
        try:
            await self._pass_on(client, to_database, back)
        finally:
            back.cancel()
            with suppress(asyncio.CancelledError):
                await back
            for end in (to_client, to_database):
                end.close()

    async def _pass_on(
        self, client: asyncio.StreamReader, to_database: asyncio.StreamWriter, back: asyncio.Task[None]
    ) -> None:
        stores = False
        while data := await client.read(65536):
            stores = stores or self._statement in data
            if self._armed and stores and COMMIT in data:
                self._armed = False
                back.cancel()
                to_database.write(data)
                await to_database.drain()
                await asyncio.sleep(0.1)  # time to commit
                self.lost.set()
                return
            to_database.write(data)
            await to_database.drain()


async def _pass(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    while data := await source.read(65536):
        target.write(data)
        await target.drain()
