"""A proxy between a client and the server that can go silent, as the network does when a phone falls asleep."""

import asyncio
from contextlib import suppress
from typing import Self


class SilentProxy:
    """Forwards bytes in both directions until it goes silent. Use it as a context manager.

    A silent proxy keeps the connection open and reads from both ends, as the kernel of a sleeping phone and the routers
    in between do. It forwards nothing, not even that the server closes the connection.
    """

    def __init__(self, port: int) -> None:
        self.silent = False
        self._upstream = port
        self._server: asyncio.Server | None = None
        self._writers: list[asyncio.StreamWriter] = []

    @property
    def url(self) -> str:
        if self._server is None:
            raise RuntimeError("the proxy is not running")
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connect, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
        for writer in self._writers:
            writer.transport.abort()

    async def _connect(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        server, to_server = await asyncio.open_connection("127.0.0.1", self._upstream)
        self._writers += [to_client, to_server]
        await asyncio.gather(self._forward(client, to_server), self._forward(server, to_client))

    async def _forward(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await source.read(65536):
                if not self.silent:
                    target.write(data)
                    await target.drain()
            if not self.silent:
                target.close()
