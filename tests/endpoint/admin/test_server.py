"""The admin socket of a running server, as a program of the operator sees it."""

import asyncio
import json
import os
import stat
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, cast

import pytest

from famichat.endpoint.admin import server
from famichat.endpoint.admin.address import admin_address
from famichat.endpoint.admin.methods import OperatorMethods
from famichat.endpoint.admin.server import AdminServer
from famichat.telemetry.events import Event, OperatorConnectionRefused, OperatorMethodCalled
from tests.support.app import RunningApp


class Lines:
    """One connection to the admin socket."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def next(self) -> Any:
        line = await self.reader.readline()
        return json.loads(line) if line else None

    async def send(self, line: object) -> Any:
        self.writer.write((line if isinstance(line, str) else json.dumps(line)).encode() + b"\n")
        return await self.next()

    async def call(self, method: str, **params: object) -> Any:
        return await self.send({"jsonrpc": "2.0", "id": 7, "method": method, "params": params})


class SlowMethods:
    """A method that ends when the test says so."""

    def __init__(self) -> None:
        self.began = asyncio.Event()
        self.finish = asyncio.Event()

    async def call(self, _method: str, _parameters: object) -> dict[str, bool]:
        self.began.set()
        await self.finish.wait()
        return {"done": True}


@asynccontextmanager
async def connected(data_dir: Path) -> AsyncIterator[Lines]:
    with admin_address(data_dir) as address:
        reader, writer = await asyncio.open_unix_connection(address)
    try:
        yield Lines(reader, writer)
    finally:
        writer.close()


async def test_the_socket_is_for_the_servers_user_only(app: RunningApp) -> None:
    folder = app.settings.data_dir / "run"

    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "admin.sock").stat().st_mode) == 0o600


async def test_a_process_of_another_user_is_refused(
    app: RunningApp, monkeypatch: pytest.MonkeyPatch, emitted: list[Event]
) -> None:
    monkeypatch.setattr(server, "_peer_uid", lambda _writer: os.geteuid() + 1)

    async with connected(app.settings.data_dir) as lines:
        assert await lines.next() is None
    assert [each.uid for each in emitted if isinstance(each, OperatorConnectionRefused)] == [os.geteuid() + 1]


async def test_the_server_says_who_it_is_and_answers_each_line(app: RunningApp, emitted: list[Event]) -> None:
    async with connected(app.settings.data_dir) as lines:
        assert (await lines.next())["protocol"] == 1
        found = await lines.call("user.find", name="maja")
        unknown = await lines.call("user.shred", name="maja")
        malformed = await lines.send("{")
        foreign = await lines.send({"jsonrpc": "1.0", "id": 1, "method": "stats"})
        secret = await lines.call("user.password", user_id=app.home.maja.user_id, password=["a secret"])
        refused = await lines.call("user.delete", user_id=app.home.maja.user_id)
        again = await lines.call("stats")

    assert found == {"jsonrpc": "2.0", "id": 7, "result": {"id": app.home.maja.user_id, "username": "maja"}}
    assert unknown["error"]["code"] == -32601
    assert malformed["error"]["code"] == -32700
    assert foreign["error"]["code"] == -32600
    assert secret["error"] == {"code": -32602, "message": "Invalid params: password"}
    assert (refused["error"]["code"], refused["error"]["data"]["code"]) == (-32000, "last_admin")
    assert again["result"]["families"] >= 1
    called = [(each.method, each.uid, each.outcome) for each in emitted if isinstance(each, OperatorMethodCalled)]
    assert called[0] == ("user.find", os.geteuid(), "ok")
    assert called[-2] == ("user.delete", os.geteuid(), "last_admin")


async def test_a_line_that_is_too_long_ends_the_connection_alone(app: RunningApp) -> None:
    async with connected(app.settings.data_dir) as lines, connected(app.settings.data_dir) as other:
        await lines.next()
        await other.next()
        lines.writer.write(b"x" * (1024 * 1024 + 2))
        assert await lines.next() is None
        assert "result" in await other.call("stats")


async def test_a_server_that_stops_finishes_the_request_and_accepts_no_more(tmp_path: Path) -> None:
    methods = SlowMethods()
    stopping = AdminServer(tmp_path, cast("OperatorMethods", methods))
    await stopping.open()
    async with connected(tmp_path) as lines, connected(tmp_path) as idle:
        await lines.next()
        await idle.next()
        reply = asyncio.create_task(lines.call("stats"))
        await methods.began.wait()
        closing = asyncio.create_task(stopping.close())
        assert await idle.next() is None
        with pytest.raises(FileNotFoundError):
            async with connected(tmp_path):
                pass
        methods.finish.set()
        assert (await reply)["result"] == {"done": True}
        await closing
    assert list((tmp_path / "run").iterdir()) == []


async def test_only_a_few_connections_are_accepted(app: RunningApp) -> None:
    async with AsyncExitStack() as stack:
        opened = [
            await stack.enter_async_context(connected(app.settings.data_dir)) for _ in range(server.MAX_CONNECTIONS + 1)
        ]
        greetings = [await each.next() for each in opened]

    assert [greeting is None for greeting in greetings] == [False] * server.MAX_CONNECTIONS + [True]
