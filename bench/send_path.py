"""How many messages a second go through the whole send path, and how long one takes from push to everybody.

    .venv/bin/python -m bench.send_path [--people 8] [--messages 4000] [--database-url postgresql://...]

A real server in a process of its own, and real WebSockets. First everybody sends without waiting, to see what the
server can take; then one person sends and waits, to see what a message costs. Figures of one run compare with each
other only: the clients share the machine with the server.
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
    """The server's process: print where it is and who lives there, then serve until standard input ends."""
    async with running_app(database_url, folder) as app:
        maja, emil = app.home.maja, app.home.emil
        tokens = [Tokens(SECRET).issue(person.user_id, person.device_id) for person in (maja, emil)]
        print(json.dumps({"url": app.url, "topic": f"message:direct:{app.talks.direct}", "tokens": tokens}), flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


@contextmanager
def server(database_url: str | None) -> Iterator[dict[str, object]]:
    """A server in a process of its own, for as long as the block runs."""
    with tempfile.TemporaryDirectory() as folder:
        url = database_url or f"sqlite:///{folder}/famichat.db"
        command = [sys.executable, "-m", "bench.send_path", "--serve", folder, "--database-url", url]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:  # noqa: S603 - our own program
            assert process.stdout is not None
            assert process.stdin is not None
            yield json.loads(process.stdout.readline())
            process.stdin.close()
            process.wait()


async def join(socket: ClientConnection, topic: str) -> None:
    """Join, and wait for the answer."""
    await socket.send(orjson.dumps(["1", "1", topic, "phx_join", {}]), text=True)
    while orjson.loads(await socket.recv())[1] != "1":
        pass


async def flood(socket: ClientConnection, topic: str, own: int, total: int) -> None:
    """Send without waiting, and read until everything was acknowledged and heard."""

    async def send() -> None:
        for n in range(own):
            message = {"body": BODY, "client_id": f"{id(socket)}-{n}"}
            await socket.send(orjson.dumps(["1", f"m{n}", topic, "new_msg", message]), text=True)

    sending = asyncio.create_task(send())
    heard = acked = 0
    while heard < total or acked < own:
        frame = orjson.loads(await socket.recv())
        heard += frame[3] == "new_msg"
        acked += frame[3] == "phx_reply"
    await sending


async def ask(socket: ClientConnection, topic: str, count: int) -> list[float]:
    """Send and wait, again and again; how long each took, in seconds."""
    times = []
    for n in range(count):
        began = time.perf_counter()
        await socket.send(orjson.dumps(["1", f"a{n}", topic, "new_msg", {"body": BODY}]), text=True)
        while orjson.loads(await socket.recv())[1] != f"a{n}":
            pass
        times.append(time.perf_counter() - began)
    return times


async def measure(place: dict[str, object], people: int, messages: int) -> None:
    """Let people talk, and print how that went."""
    topic, tokens = str(place["topic"]), place["tokens"]
    assert isinstance(tokens, list)
    address = str(place["url"]).replace("http", "ws") + "/socket/websocket?vsn=2.0.0&token="
    sockets = [await connect(address + tokens[n % 2], max_queue=None) for n in range(people)]
    for socket in sockets:
        await join(socket, topic)
    own = messages // people
    began = time.perf_counter()
    await asyncio.gather(*[flood(socket, topic, own, own * people) for socket in sockets])
    took = time.perf_counter() - began
    stored = own * people / took
    print(f"flood: {stored:,.0f} messages/s stored, {stored * people:,.0f} deliveries/s, {people} sockets")
    times = sorted(await ask(sockets[0], topic, 300))
    print(f"one by one: median {statistics.median(times) * 1000:.2f} ms, p99 {times[-3] * 1000:.2f} ms")
    for socket in sockets:
        await socket.close()


def main() -> None:
    """Run the benchmark, or its server."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--serve", type=Path)
    parser.add_argument("--people", type=int, default=8)
    parser.add_argument("--messages", type=int, default=4000)
    parser.add_argument("--database-url")
    options = parser.parse_args()
    if options.serve is None:
        with server(options.database_url) as place:
            asyncio.run(measure(place, options.people, options.messages))
        return
    database = Database(options.database_url)
    upgrade(database)
    database.close()
    asyncio.run(serve(options.database_url, options.serve))


if __name__ == "__main__":
    main()
