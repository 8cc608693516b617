"""The uvicorn server, and the socket it listens on."""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn

from famichat.app.node_registry import NodeRegistry
from famichat.endpoint.http.server_protocol import HttpProtocol
from famichat.realtime.transport.endpoint import Endpoint
from famichat.realtime.transport.websocket import websocket_protocol

_GRACE_SECONDS = 10
# Longer than clients and reverse proxies keep an idle connection (nginx: 60 seconds). If the server closed first, a
# request that is on its way would be lost.
_IDLE_SECONDS = 75


class HttpServer(uvicorn.Server):
    """A uvicorn server that leaves signals to `run`, so that everything is closed in order before the process ends.

    Args:
        config: from `build_config`.
        endpoint: the Phoenix endpoint, drained before the HTTP server stops.
        on_started: called once, when the server accepts connections.
        nodes: knows how many nodes drain at the same time.
    """

    def __init__(
        self, config: uvicorn.Config, endpoint: Endpoint, on_started: Callable[[], None], nodes: NodeRegistry
    ) -> None:
        super().__init__(config)
        self._endpoint = endpoint
        self._nodes = nodes
        self._on_started = on_started

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Install no signal handlers."""
        yield

    def stop(self) -> None:
        """Ask the server to shut down; `serve` then returns."""
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept connections, then report it."""
        await super().startup(sockets)
        if self.started:
            self._on_started()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close all connections with 1012 (service restart) once what clients sent is stored, then stop."""
        await self._nodes.drain()
        await self._endpoint.stop(lambda: self._nodes.draining_nodes)
        await super().shutdown(sockets)


def build_config(http: object, protocol: type[HttpProtocol], endpoint: Endpoint) -> uvicorn.Config:
    """Configure uvicorn.

    Args:
        http: the ASGI application for HTTP requests.
        protocol: parses HTTP connections.
        endpoint: takes over WebSocket connections.
    """
    return uvicorn.Config(
        http,  # type: ignore[arg-type]  # uvicorn's ASGI types are stricter than the specification
        ws=websocket_protocol(endpoint),
        http=protocol,
        lifespan="off",
        log_config=None,
        access_log=False,  # a request line may carry a token
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=_IDLE_SECONDS,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )


@contextmanager
def bound_socket(host: str, port: int, *, shared: bool = False) -> Iterator[socket.socket]:
    """Bind a TCP socket, and close it at the end of the block.

    Args:
        host: the address.
        port: the port; 0 lets the system choose one.
        shared: whether other processes of this user may bind the same port.

    Raises:
        OSError: the address is in use or cannot be assigned.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio sets TCP_NODELAY only on sockets whose protocol number is IPPROTO_TCP.
    with socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind((host, port))
        yield listener


def url_of(listener: socket.socket, host: str) -> str:
    """Return the HTTP URL of a bound socket."""
    name = f"[{host}]" if ":" in host else host
    return f"http://{name}:{listener.getsockname()[1]}"
