"""A TCP proxy between a client and the server that drops a connection at a chosen response."""

import asyncio
from contextlib import suppress
from typing import Self


class CuttingProxy:
    """Forwards bytes in both directions. Use it with `async with`.

    Args:
        port: the server's port on this machine.
    """

    def __init__(self, port: int) -> None:
        self.cuts = 0
        self._upstream = port
        self._cut_before: bytes | None = None
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """The address that clients connect to."""
        if self._server is None:
            raise RuntimeError("the proxy is not running")
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def cut_before(self, response: bytes) -> None:
        """Abort the connection that carries the next response with these bytes, instead of forwarding it."""
        self._cut_before = response

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
        for each in self._connections:
            each.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _accept(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        connection = asyncio.create_task(self._pass_both_ways(client, to_client))
        self._connections.add(connection)
        connection.add_done_callback(self._connections.discard)

    async def _pass_both_ways(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        server, to_server = await asyncio.open_connection("127.0.0.1", self._upstream)
        forth = asyncio.create_task(self._pass(client, to_server))
        try:
            with suppress(ConnectionError):  # either end may be gone
                await self._pass(server, to_client, is_response=True)
        finally:
            forth.cancel()
            await asyncio.gather(forth, return_exceptions=True)
            for end in (to_client, to_server):
                end.transport.abort()

    async def _pass(
        self, source: asyncio.StreamReader, target: asyncio.StreamWriter, *, is_response: bool = False
    ) -> None:
        while data := await source.read(65536):
            if is_response and self._cut_before is not None and self._cut_before in data:
                self._cut_before = None
                self.cuts += 1
                return
            target.write(data)
            await target.drain()
