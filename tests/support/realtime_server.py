"""An endpoint served by a real uvicorn on a free port, inside the test's own event loop."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from famichat.realtime import Endpoint, websocket_protocol


@dataclass(frozen=True, slots=True)
class RunningServer:
    host: str
    port: int
    server: uvicorn.Server

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    @property
    def socket_url(self) -> str:
        return f"ws://{self.host}:{self.port}/socket"


@contextlib.asynccontextmanager
async def running_server(endpoint: Endpoint, app: ASGIApp | None = None) -> AsyncIterator[RunningServer]:
    """Serve until the block ends, then drain."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        app or _nothing_here, ws=websocket_protocol(endpoint), lifespan="off", log_config=None, access_log=False
    )
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    await server.startup([listener])
    try:
        yield RunningServer("127.0.0.1", listener.getsockname()[1], server)
    finally:
        await endpoint.stop(timeout=3)
        await _stop(server)
        listener.close()


async def _stop(server: uvicorn.Server) -> None:
    # As uvicorn does it, without its pauses.
    for each in server.servers:
        each.close()
    async with asyncio.timeout(10):
        while server.server_state.connections:
            for connection in tuple(server.server_state.connections):
                connection.shutdown()
            await asyncio.sleep(0.001)


async def _nothing_here(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 404, "headers": []})
    await send({"type": "http.response.body", "body": b""})
