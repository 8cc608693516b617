"""Measures the throughput and latency of the complete send path.

    .venv/bin/python -m bench.send_path [--people 8] [--messages 4000] [--database-url postgresql://...]

It runs a real server in a separate process, and connects with real WebSockets. First every client sends without
waiting, which measures the throughput. Then one client waits for each reply, which measures the latency. Only compare
results of the same run, because the clients share the machine with the server.
"""

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson
from websockets.asyncio.client import ClientConnection, connect

from famichat.accounts.sign_in.token import Tokens
from famichat.storage.database import Database
from famichat.storage.migrate import upgrade
from tests.factories.people import SECRET
from tests.support.app import running_app

BODY = "Dinner at six? Bring the big pot, and ask Inga whether she wants to be fetched. " * 2


async def serve(database_url: str, folder: Path) -> None:
    """Run in the server process: print the URL, topic and tokens as JSON, and serve until standard input is closed."""
    async with running_app(database_url, folder) as app:
        maja, emil = app.home.maja, app.home.emil
        tokens = [Tokens(SECRET).issue(person.user_id, person.device_id) for person in (maja, emil)]
        print(json.dumps({"url": app.url, "topic": f"message:direct:{app.talks.direct}", "tokens": tokens}), flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


@contextmanager
def server(database_url: str | None) -> Iterator[dict[str, object]]:
    """Run a server in a separate process until the block ends, and yield its URL, topic and tokens."""
    with tempfile.TemporaryDirectory() as folder:
        url = database_url or f"sqlite:///{folder}/famichat.db"
        command = [sys.executable, "-m", "bench.send_path", "--serve", folder, "--database-url", url]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:  # noqa: S603 - starts this module
            assert process.stdout is not None
            assert process.stdin is not None
            yield json.loads(process.stdout.readline())
            process.stdin.close()
            process.wait()


async def join(socket: ClientConnection, topic: str) -> None:
    """Join the topic and wait for the reply."""
    await socket.send(orjson.dumps(["1", "1", topic, "phx_join", {}]), text=True)
    while orjson.loads(await socket.recv())[1] != "1":
        pass


async def flood(socket: ClientConnection, topic: str, own: int, total: int) -> None:
    """Send without waiting, and read until all replies and broadcasts have arrived.

    Args:
        socket: a client that joined the topic.
        topic: the topic to send to.
        own: the number of messages to send.
        total: the number of messages that all clients send together.
    """

    async def send() -> None:
        for n in range(own):
            message = {"body": BODY, "client_id": f"{id(socket)}-{n}"}
            await socket.send(orjson.dumps(["1", f"m{n}", topic, "new_msg", message]), text=True)

    sending = asyncio.create_task(send())
    broadcasts = replies = 0
    while broadcasts < total or replies < own:
        frame = orjson.loads(await socket.recv())
        broadcasts += frame[3] == "new_msg"
        replies += frame[3] == "phx_reply"
    await sending


async def send_one_by_one(socket: ClientConnection, topic: str, count: int) -> list[float]:
    """Send `count` messages, waiting for each reply; return how long each took, in seconds."""
    times = []
    for n in range(count):
        started = time.perf_counter()
        await socket.send(orjson.dumps(["1", f"a{n}", topic, "new_msg", {"body": BODY}]), text=True)
        while orjson.loads(await socket.recv())[1] != f"a{n}":
            pass
        times.append(time.perf_counter() - started)
    return times


async def measure(target: dict[str, object], people: int, messages: int) -> None:
    """Measure throughput and latency, and print them.

    Args:
        target: the URL, topic and tokens that `server` yields.
        people: the number of clients.
        messages: the number of messages that they send together.
    """
    topic, tokens = str(target["topic"]), target["tokens"]
    assert isinstance(tokens, list)
    url = str(target["url"]).replace("http", "ws") + "/socket/websocket?vsn=2.0.0&token="
    sockets = [await connect(url + tokens[n % 2], max_queue=None) for n in range(people)]
    for socket in sockets:
        await join(socket, topic)
    own = messages // people
    started = time.perf_counter()
    await asyncio.gather(*[flood(socket, topic, own, own * people) for socket in sockets])
    seconds = time.perf_counter() - started
    stored = own * people / seconds
    print(f"flood: {stored:,.0f} messages/s stored, {stored * people:,.0f} deliveries/s, {people} sockets")
    times = sorted(await send_one_by_one(sockets[0], topic, 300))
    print(f"one by one: median {statistics.median(times) * 1000:.2f} ms, p99 {times[-3] * 1000:.2f} ms")
    for socket in sockets:
        await socket.close()


def main() -> None:
    """Run the benchmark, or its server process if `--serve` is given."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--serve", type=Path)
    parser.add_argument("--people", type=int, default=8)
    parser.add_argument("--messages", type=int, default=4000)
    parser.add_argument("--database-url")
    options = parser.parse_args()
    if options.serve is None:
        with server(options.database_url) as target:
            asyncio.run(measure(target, options.people, options.messages))
        return
    database = Database(options.database_url)
    upgrade(database)
    database.close()
    asyncio.run(serve(options.database_url, options.serve))


if __name__ == "__main__":
    main()
