"""A small application on `famichat.realtime` alone, for every Phoenix client to try.

    python tests/conformance/server.py --port 4001

Tokens: `good` and `good2`, as `?token=` or authToken; the connection's id is `users_socket:<token>`. A token that
begins with `limited-` connects too often the first two times, and is good from then on. Topics:
`message:*`, where `message:direct:forbidden` refuses, and `presence:*`. Events: `new_msg`, `bin_echo`, `bin_msg`,
`bin_push`, `crash`, `stop`, `disconnect_me`.
"""

import argparse
import asyncio
import contextlib
import socket as sockets
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.routing import Route

from famichat.realtime import (
    Channel,
    Connected,
    ConnectRequest,
    Deferred,
    Endpoint,
    JoinRefused,
    Limits,
    LongPoll,
    Payload,
    Presence,
    PubSub,
    ReplyPayload,
    Socket,
    SocketHandler,
    TerminateReason,
    UpgradeRequired,
    ok,
    websocket_protocol,
)
from famichat.realtime.transport.endpoint import TooManyConnections

TOKENS = ("good", "good2")
LIMITED_TIMES = 2


class MessageChannel(Channel):
    """Echoes messages in every way that a channel supports."""

    def __init__(self, socket: Socket, topic: str, pubsub: PubSub) -> None:
        super().__init__(socket, topic)
        self._pubsub = pubsub

    async def join(self, params: dict[str, Any]) -> dict[str, Any]:
        if self.topic == "message:direct:forbidden":
            raise JoinRefused("forbidden")
        return {}

    async def handle_in(self, event: str, payload: Payload) -> ReplyPayload | Deferred | None:
        match event:
            case "new_msg" | "bin_msg":
                self.broadcast(event, payload)
                return ok()
            case "bin_echo":
                return ok(payload)
            case "bin_push":
                self.push(event, payload)
            case "crash":
                raise RuntimeError("crash was asked for")
            case "stop":
                self.close()
            case "disconnect_me":
                self._pubsub.disconnect(f"users_socket:{self.socket.assigns}")
            case _:
                return await super().handle_in(event, payload)
        return None


class PresenceChannel(Channel):
    """Tracks presence, keyed by token name."""

    def __init__(self, socket: Socket, topic: str, presence: Presence) -> None:
        super().__init__(socket, topic)
        self._presence = presence

    async def after_join(self) -> None:
        self._presence.track(self, self.socket.assigns, {"status": "here"})
        self.push("presence_state", self._presence.list(self.topic))

    async def handle_in(self, event: str, payload: Payload) -> ReplyPayload | Deferred | None:
        match event, payload:
            case "update", {"status": str(status)}:
                self._presence.update(self, self.socket.assigns, {"status": status})
                return ok()
            case "crash", _:
                raise RuntimeError("crash was asked for")
        return await super().handle_in(event, payload)

    async def terminate(self, reason: TerminateReason) -> None:
        self._presence.untrack(self)


class Tokens(SocketHandler):
    """Accepts clients with a known token."""

    def __init__(self, pubsub: PubSub) -> None:
        presence = Presence(pubsub)
        self._limited: Counter[str] = Counter()
        self.channels = (
            ("message:*", lambda socket, topic: MessageChannel(socket, topic, pubsub)),
            ("presence:*", lambda socket, topic: PresenceChannel(socket, topic, presence)),
        )

    async def connect(self, request: ConnectRequest) -> Connected:
        token = request.token or request.params.get("token")
        if token is not None and token.startswith("limited-"):
            self._limited[token] += 1
            if self._limited[token] <= LIMITED_TIMES:
                raise TooManyConnections
        elif token not in TOKENS:
            raise JoinRefused
        return Connected(frozenset({f"users_socket:{token}"}), token)


def build(limits: Limits | None = None) -> tuple[Endpoint, Starlette]:
    """Make the endpoint and the HTTP application that belongs to it."""
    pubsub = PubSub()
    endpoint = Endpoint(Tokens(pubsub), pubsub, limits=limits, check_origin="conn")

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        yield
        await endpoint.stop()

    routes = [Route("/socket/longpoll", LongPoll(endpoint)), Route("/socket/websocket", UpgradeRequired(endpoint))]
    return endpoint, Starlette(routes=routes, lifespan=lifespan)


async def main() -> None:
    """Serve until stopped."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=4001, help="0 picks a free one (default: 4001)")
    endpoint, app = build()
    with sockets.create_server(("127.0.0.1", parser.parse_args().port)) as listener:
        config = uvicorn.Config(app, ws=websocket_protocol(endpoint), log_level="warning", access_log=False)
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve([listener]))
        while not server.started and not serving.done():  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(0.01)
        print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)  # noqa: T201 - its one line of output
        await serving


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main())
