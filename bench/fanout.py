"""How fast a burst of broadcasts reaches everybody on a topic, with the outbox and with a write for every frame.

    .venv/bin/python -m bench.fanout [--clients 50] [--messages 2000] [--turn 20]

The server runs in a process of its own; the clients, in this one, only count bytes. `--turn` is how many messages
arise in one turn of the event loop: with 1 the two ways are the same. Figures of one run compare with each other only.
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
        """Broadcast `messages` times, `turn` of them in each turn of the event loop."""
        assert isinstance(payload, dict)
        assert event == "burst"
        for number in range(payload["messages"]):
            self.broadcast("m", BODY)
            if number % payload["turn"] == payload["turn"] - 1:
                await asyncio.sleep(0)
        return ok()


class Open(SocketHandler):
    """Lets everybody in."""

    channels = (("bench:*", Bench),)


def serve(listener: socket.socket, *, outbox: bool) -> None:
    """Serve until killed."""
    if not outbox:
        setattr(Outbox, "put", lambda self, data: self._transport.write(data))  # noqa: B010 - it is what we compare with
    endpoint = Endpoint(Open(), check_origin=False)
    config = uvicorn.Config(_nothing, ws=websocket_protocol(endpoint), lifespan="off", log_config=None)
    uvloop.run(uvicorn.Server(config).serve([listener]))


async def _nothing(_scope: Any, _receive: Any, _send: Any) -> None:
    raise NotImplementedError


@contextmanager
def server(*, outbox: bool) -> Iterator[int]:
    """A server in a process of its own; gives its port."""
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
        process = multiprocessing.get_context("fork").Process(target=serve, args=(listener,), kwargs={"outbox": outbox})
        process.start()
        try:
            yield listener.getsockname()[1]
        finally:
            process.kill()
            process.join()


async def client(port: int) -> RawWebSocket:
    """Join the topic."""
    raw = RawWebSocket(*await asyncio.open_connection("127.0.0.1", port, limit=2**20))
    await raw.request("/socket/websocket?vsn=2.0.0")
    raw.send(TEXT, orjson.dumps(["1", "1", TOPIC, "phx_join", {}]))
    await raw.frame()
    return raw


async def count(raw: RawWebSocket, size: int) -> None:
    """Read so many bytes."""
    while size > 0:
        size -= len(await raw.reader.read(2**18))


async def burst(clients: int, messages: int, turn: int, *, outbox: bool) -> float:
    """Deliveries a second."""
    with server(outbox=outbox) as port:
        crowd = [await client(port) for _ in range(clients)]
        frame = len(orjson.dumps([None, None, TOPIC, "m", BODY])) + 4
        began = time.perf_counter()
        crowd[0].send(TEXT, orjson.dumps(["1", "2", TOPIC, "burst", {"messages": messages, "turn": turn}]))
        await asyncio.gather(*(count(raw, messages * frame) for raw in crowd))
        took = time.perf_counter() - began
        for raw in crowd:
            raw.writer.close()
        return clients * messages / took


def main() -> None:
    """Measure both ways, twice, in turn."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--messages", type=int, default=2000)
    parser.add_argument("--turn", type=int, default=20)
    chosen = parser.parse_args()
    print(f"{chosen}, {os.cpu_count()} cores, deliveries a second:")
    for _ in range(2):
        for outbox in (True, False):
            rate = uvloop.run(burst(chosen.clients, chosen.messages, chosen.turn, outbox=outbox))
            print(f"  {'one write a turn ' if outbox else 'one write a frame'} {rate:10,.0f}")


if __name__ == "__main__":
    main()
