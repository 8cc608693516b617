"""A Phoenix client for tests: it exchanges frames over a real WebSocket and provides assertions.

`famichat.client.phoenix` cannot replace it: these tests send what that client never would (serializer version 1, binary
and malformed frames, stale and null refs), and look at every frame that arrives, also at those that it drops.

async with ChannelClient.connect(url, token="good") as client:
    await client.join("message:self:1")
    ref = await client.push("message:self:1", "new_msg", {"body": "hi"})
    await client.assert_reply(ref, "ok")
    await client.assert_broadcast("message:self:1", "new_msg", {"body": "hi"})
"""

import asyncio
import contextlib
import itertools
import json
import struct
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urlencode

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from famichat.client.phoenix import auth_subprotocols
from tests.support import leaks

WAIT = 15.0
QUIET = 0.15


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame from the server. In version 1 there is no join_ref, and it stays None."""

    join_ref: Any
    ref: Any
    topic: str
    event: str
    payload: Any

    @property
    def status(self) -> str | None:
        return self.payload["status"] if self.event == "phx_reply" else None

    @property
    def response(self) -> Any:
        return self.payload["response"]


class ChannelClient:
    """One connection. Frames that no assertion has taken yet wait in `unread`, in order of arrival."""

    def __init__(self, websocket: ClientConnection, vsn: str) -> None:
        self.websocket = websocket
        self.unread: list[Frame] = []
        self.received: list[Frame] = []
        self.join_refs: dict[str, str] = {}
        self._vsn = vsn
        self._refs = itertools.count(1)
        self._arrived = asyncio.Condition()
        self._reader = asyncio.create_task(self._read())

    @classmethod
    @contextlib.asynccontextmanager
    async def connect(
        cls, url: str, token: str | None = None, *, vsn: str = "2.0.0", auth_token: str | None = None, **params: str
    ) -> AsyncIterator[Self]:
        """Connect to `url` (such as `ws://127.0.0.1:4000/socket`), and disconnect at the end of the block.

        Args:
            url: where the socket is mounted.
            token: sent as `?token=`.
            vsn: the serializer version.
            auth_token: sent as Phoenix 1.8's authToken, in the subprotocols.
            params: more parameters of the URL.
        """
        query = urlencode({"vsn": vsn, **({} if token is None else {"token": token}), **params})
        address = f"{url.replace('http', 'ws', 1)}/websocket?{query}"
        offered = None if auth_token is None else auth_subprotocols(auth_token)
        async with connect(address, subprotocols=offered, max_size=None, ping_interval=None) as websocket:
            client = cls(websocket, vsn)
            try:
                yield client
            finally:
                await websocket.close()
                await client._reader

    # Sending

    async def join(self, topic: str, params: dict[str, Any] | None = None, *, status: str = "ok") -> Any:
        """Join a topic and return the response; fails if the status is another."""
        ref = await self.send_join(topic, params)
        return (await self.assert_reply(ref, status)).response

    async def send_join(self, topic: str, params: dict[str, Any] | None = None) -> str:
        """Ask to join, and return the ref."""
        ref = str(next(self._refs))
        self.join_refs[topic] = ref
        await self.send(ref, ref, topic, "phx_join", params or {})
        return ref

    async def push(self, topic: str, event: str, payload: dict[str, Any] | bytes | None = None) -> str:
        """Send an event on a joined topic, and return its ref."""
        ref = str(next(self._refs))
        await self.send(self.join_refs.get(topic), ref, topic, event, {} if payload is None else payload)
        return ref

    async def ask(self, topic: str, event: str, payload: dict[str, Any] | bytes | None = None) -> Frame:
        """Send an event and return its reply, whatever its status."""
        ref = await self.push(topic, event, payload)
        return await self._take(lambda frame: frame.event == "phx_reply" and frame.ref == ref, f"a reply to {ref}")

    async def leave(self, topic: str) -> None:
        """Leave a topic and wait until that is confirmed."""
        await self.assert_reply(await self.push(topic, "phx_leave"), "ok")

    async def heartbeat(self) -> None:
        """Send a heartbeat."""
        await self.assert_reply(await self.push("phoenix", "heartbeat"), "ok")

    async def send(self, join_ref: Any, ref: Any, topic: str, event: str, payload: Any) -> None:
        """Send a frame as given."""
        leaks.remember(payload)
        if isinstance(payload, bytes):
            await self.websocket.send(encode_binary_push(join_ref, ref, topic, event, payload))
        elif self._vsn.startswith("1"):
            frame = {"topic": topic, "event": event, "payload": payload, "ref": ref}
            await self.websocket.send(json.dumps(frame if join_ref is None else {**frame, "join_ref": join_ref}))
        else:
            await self.websocket.send(json.dumps([join_ref, ref, topic, event, payload]))

    async def send_raw(self, data: str | bytes) -> None:
        """Send a WebSocket message that need not be a frame."""
        await self.websocket.send(data)

    # Receiving

    async def assert_reply(self, ref: Any, status: str = "ok", response: Any = ...) -> Frame:
        """Wait for the reply to a ref, and return it; its status, and response if given, must be these."""
        frame = await self._take(lambda frame: frame.event == "phx_reply" and frame.ref == ref, f"a reply to {ref}")
        assert frame.status == status, f"expected {status}, got {frame}"
        assert response is ... or frame.response == response, f"expected {response}, got {frame}"
        return frame

    async def assert_broadcast(self, topic: str, event: str, payload: Any = ...) -> Frame:
        """Wait for an event on a topic, pushed or broadcast; with a payload given, every field of it must be there."""
        return await self._take(
            lambda frame: (frame.topic, frame.event) == (topic, event) and _contains(frame.payload, payload),
            f"{event} on {topic} with {payload}",
        )

    assert_push = assert_broadcast

    async def refute_broadcast(self, topic: str, event: str, *, within: float = QUIET) -> None:
        """Assert that no such event has arrived or arrives `within` seconds."""
        with contextlib.suppress(TimeoutError, AssertionError):
            found = await self._take(lambda frame: (frame.topic, frame.event) == (topic, event), "", within)
            raise UnexpectedFrameError(found)

    refute_push = refute_broadcast

    async def next_frame(self) -> Frame:
        """Return the next frame, whatever it is."""
        return await self._take(lambda _: True, "any frame")

    async def closed(self) -> int:
        """Wait until the server has closed the connection, and return its close code (1006: without a close)."""
        async with asyncio.timeout(WAIT):
            await self.websocket.wait_closed()
        return self.websocket.close_code or 1006

    async def _take(self, wanted: Callable[[Frame], bool], what: str, timeout: float = WAIT) -> Frame:  # noqa: ASYNC109 - it becomes an AssertionError with the frames that did come
        try:
            async with asyncio.timeout(timeout), self._arrived:
                while (found := next((frame for frame in self.unread if wanted(frame)), None)) is None:
                    assert not self._reader.done(), f"closed ({self.websocket.close_code}) before {what} came"
                    await self._arrived.wait()
                self.unread.remove(found)
                return found
        except TimeoutError:
            raise AssertionError(f"{what} did not come; unread: {self.unread}") from None

    async def _read(self) -> None:
        try:
            while True:
                frame = self._decode(await self.websocket.recv())
                if frame.status == "error":
                    leaks.look(repr(frame.response), "an error answer")
                async with self._arrived:
                    self.unread.append(frame)
                    self.received.append(frame)
                    self._arrived.notify_all()
        except ConnectionClosed:
            pass
        finally:
            asyncio.get_running_loop().call_soon(asyncio.ensure_future, self._wake())

    async def _wake(self) -> None:
        async with self._arrived:
            self._arrived.notify_all()

    def _decode(self, data: str | bytes) -> Frame:
        if isinstance(data, bytes):
            return decode_binary(data)
        frame = json.loads(data)
        if self._vsn.startswith("1"):
            assert sorted(frame) == ["event", "payload", "ref", "topic"], frame
            return Frame(None, frame["ref"], frame["topic"], frame["event"], frame["payload"])
        assert len(frame) == 5, frame
        return Frame(*frame)


class UnexpectedFrameError(Exception):
    """An unexpected frame arrived."""


def encode_binary_push(join_ref: str | None, ref: str | None, topic: str, event: str, data: bytes) -> bytes:
    fields = [(field or "").encode() for field in (join_ref, ref, topic, event)]
    return bytes([0, *map(len, fields)]) + b"".join(fields) + data


def decode_binary(data: bytes) -> Frame:
    kind = data[0]
    count = {0: 3, 1: 4, 2: 2}[kind]
    sizes = struct.unpack_from(f"{count}B", data, 1)
    fields, start = [], 1 + count
    for size in sizes:
        fields.append(data[start : start + size].decode())
        start += size
    body = data[start:]
    match kind:
        case 0:
            return Frame(fields[0] or None, None, fields[1], fields[2], body)
        case 1:
            payload = {"status": fields[3], "response": body}
            return Frame(fields[0] or None, fields[1] or None, fields[2], "phx_reply", payload)
        case _:
            return Frame(None, None, fields[0], fields[1], body)


def _contains(payload: Any, wanted: Any) -> bool:
    if wanted is ...:
        return True
    if isinstance(payload, dict) and isinstance(wanted, dict):
        return all(key in payload and payload[key] == value for key, value in wanted.items())
    return bool(payload == wanted)
