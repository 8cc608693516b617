"""A proxy whose connections can die silently, as when a phone falls asleep or changes to another network."""

import asyncio
from contextlib import suppress
from typing import Self


class SilentProxy:
    """Forwards bytes in both directions. Use it with `async with`.

    A silent connection stays open, and both ends are read, as by the kernel of a sleeping phone and the routers in
    between. Nothing is forwarded, not even that the other end closes it.

    Args:
        port: the server's port on this machine.
    """

    def __init__(self, port: int) -> None:
        self._upstream = port
        self._server: asyncio.Server | None = None
        self._dead: set[asyncio.StreamWriter] = set()
        self._writers: set[asyncio.StreamWriter] = set()

    @property
    def url(self) -> str:
        """The address that clients connect to."""
        if self._server is None:
            raise RuntimeError("the proxy is not running")
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def fall_silent(self) -> None:
        """Stop forwarding on the existing connections, without closing them. New connections work."""
        self._dead |= self._writers

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._pass_both_ways, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
        for each in self._writers:
            each.transport.abort()

    async def _pass_both_ways(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        server, to_server = await asyncio.open_connection("127.0.0.1", self._upstream)
        self._writers |= {to_client, to_server}
        await asyncio.gather(self._pass(client, to_server), self._pass(server, to_client))

    async def _pass(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):  # either end may be gone
            while data := await source.read(65536):
                if target not in self._dead:
                    target.write(data)
                    await target.drain()
        if target not in self._dead:
            target.close()
