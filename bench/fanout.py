"""Measures the delivery rate of a burst of broadcasts, with the outbox and with one write per frame.

    .venv/bin/python -m bench.fanout [--clients 50] [--messages 2000] [--turn 20]

The server runs in a separate process. The clients run in this one and only count bytes. `--turn` is the number of
messages per iteration of the event loop; with 1 there is no difference. Only compare results of the same run.
"""

import argparse
import asyncio
import multiprocessing
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import orjson
import uvicorn
import uvloop

from famichat.realtime import Channel, Endpoint, Payload, ReplyPayload, SocketHandler, ok, websocket_protocol
from famichat.realtime.transport.outbox import Outbox
from tests.support.raw_websocket import TEXT, RawWebSocket

TOPIC = "bench:1"
BODY = {"body": "Dinner at six? Bring the big pot. " * 6}


class Bench(Channel):
    """Broadcasts on demand."""

    async def handle_in(self, event: str, payload: Payload) -> ReplyPayload:
        """Broadcast `messages` times, `turn` of them per iteration of the event loop."""
        assert isinstance(payload, dict)
        assert event == "burst"
        for number in range(payload["messages"]):
            self.broadcast("m", BODY)
            if number % payload["turn"] == payload["turn"] - 1:
                await asyncio.sleep(0)
        return ok()


class Open(SocketHandler):
    """Accepts every connection without authentication."""

    channels = (("bench:*", Bench),)


def serve(listener: socket.socket, *, outbox: bool) -> None:
    """Serve until the process is killed."""
    if not outbox:
        setattr(Outbox, "put", lambda self, data: self._transport.write(data))  # noqa: B010 - the baseline
    endpoint = Endpoint(Open(), check_origin=False)
    config = uvicorn.Config(_nothing, ws=websocket_protocol(endpoint), lifespan="off", log_config=None)
    uvloop.run(uvicorn.Server(config).serve([listener]))


async def _nothing(_scope: Any, _receive: Any, _send: Any) -> None:
    raise NotImplementedError


@contextmanager
def server(*, outbox: bool) -> Iterator[int]:
    """Run a server in a separate process, and yield its port."""
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
        process = multiprocessing.get_context("fork").Process(target=serve, args=(listener,), kwargs={"outbox": outbox})
        process.start()
        try:
            yield listener.getsockname()[1]
        finally:
            process.kill()
            process.join()


async def client(port: int) -> RawWebSocket:
    """Connect a client and join the topic."""
    raw = RawWebSocket(*await asyncio.open_connection("127.0.0.1", port, limit=2**20))
    await raw.request("/socket/websocket?vsn=2.0.0")
    raw.send(TEXT, orjson.dumps(["1", "1", TOPIC, "phx_join", {}]))
    await raw.frame()
    return raw


async def count(raw: RawWebSocket, size: int) -> None:
    """Read `size` bytes."""
    while size > 0:
        size -= len(await raw.reader.read(2**18))


async def burst(clients: int, messages: int, turn: int, *, outbox: bool) -> float:
    """Return the number of deliveries per second.

    Args:
        clients: the number of clients on the topic.
        messages: the number of broadcasts.
        turn: the number of broadcasts per iteration of the event loop.
        outbox: whether the server uses the outbox, instead of one write per frame.
    """
    with server(outbox=outbox) as port:
        sockets = [await client(port) for _ in range(clients)]
        frame_bytes = len(orjson.dumps([None, None, TOPIC, "m", BODY])) + 4  # 4: the WebSocket header
        started = time.perf_counter()
        sockets[0].send(TEXT, orjson.dumps(["1", "2", TOPIC, "burst", {"messages": messages, "turn": turn}]))
        await asyncio.gather(*(count(raw, messages * frame_bytes) for raw in sockets))
        seconds = time.perf_counter() - started
        for raw in sockets:
            raw.writer.close()
        return clients * messages / seconds


def main() -> None:
    """Measure both variants alternately, twice."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--messages", type=int, default=2000)
    parser.add_argument("--turn", type=int, default=20)
    options = parser.parse_args()
    print(f"{options}, {os.cpu_count()} cores, deliveries per second:")
    for _ in range(2):
        for outbox in (True, False):
            rate = uvloop.run(burst(options.clients, options.messages, options.turn, outbox=outbox))
            print(f"  {'one write per turn ' if outbox else 'one write per frame'} {rate:10,.0f}")


if __name__ == "__main__":
    main()
