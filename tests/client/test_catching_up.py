"""What a conversation does when the server leaves something out, or refuses for now: a scripted server misbehaves."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve

from famichat.client import Client, Conversation, Event, Position, Refused, Session
from famichat.client import conversation as conversation_module

TOPIC = "message:group:1"
START = Position("epoch", 0, 0)


def message(seq: int, change: int = 0) -> dict[str, Any]:
    return {"seq": seq, "change": change, "user_id": "other", "body": str(seq), "message_id": f"m{seq}"}


class Server:
    """Answers joins and fetches from a list of messages, in pages of two, and logs the events that it receives."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.last_change = 0
        self.received: list[tuple[str, Any]] = []
        self.refusals: dict[str, list[dict[str, Any]]] = {}
        self.joined = asyncio.Event()
        self._sockets: dict[ServerConnection, str] = {}

    async def handle(self, websocket: ServerConnection) -> None:
        async for data in websocket:
            join_ref, ref, topic, event, payload = json.loads(data)
            self.received.append((event, payload))
            refusals = self.refusals.get(event)
            status, response = ("error", refusals.pop(0)) if refusals else ("ok", self.answer(event, payload))
            reply = {"status": status, "response": response}
            await websocket.send(json.dumps([join_ref, ref, topic, "phx_reply", reply]))
            if event == "phx_join" and status == "ok":
                self._sockets[websocket] = join_ref
                self.joined.set()

    def answer(self, event: str, payload: dict[str, Any]) -> dict[str, Any]:
        match event:
            case "phx_join":
                page, has_more = self._page(payload.get("last_seq", 0))
                changes = [each for each in self._changes(payload.get("last_change", 0)) if each not in page]
                return {
                    "epoch": "epoch",
                    "last_seq": len(self.messages),
                    "recovered": True,
                    "encryption_status": "disabled",
                    "messages": page,
                    "has_more": has_more,
                    "last_change": self.last_change,
                    "changes": changes[:2],
                    "has_more_changes": len(changes) > 2,
                }
            case "fetch":
                page, has_more = self._page(payload["after_seq"])
                return {"messages": page, "has_more": has_more}
            case "fetch_changes":
                changes = self._changes(payload["after_change"])
                return {"changes": changes[:2], "has_more": len(changes) > 2, "last_change": self.last_change}
            case _:
                return {}

    def say(self) -> dict[str, Any]:
        """Store a message and tell no one."""
        self.messages.append(message(len(self.messages) + 1))
        return self.messages[-1]

    def change(self, seq: int) -> dict[str, Any]:
        """Change a message and tell no one."""
        self.last_change += 1
        self.messages[seq - 1] = message(seq, self.last_change)
        return self.messages[seq - 1]

    async def broadcast(self, event: str, payload: dict[str, Any]) -> None:
        for websocket in self._sockets:
            await websocket.send(json.dumps([None, None, TOPIC, event, payload]))

    async def head(self) -> None:
        await self.broadcast("head", {"last_seq": len(self.messages), "last_change": self.last_change})

    async def end_channels(self, event: str) -> None:
        for websocket, join_ref in self._sockets.items():
            await websocket.send(json.dumps([join_ref, join_ref, TOPIC, event, {}]))

    def count(self, event: str) -> int:
        return [name for name, _ in self.received].count(event)

    def _page(self, after_seq: int) -> tuple[list[dict[str, Any]], bool]:
        later = self.messages[after_seq:]
        return later[:2], len(later) > 2

    def _changes(self, after_change: int) -> list[dict[str, Any]]:
        return sorted(
            (each for each in self.messages if each["change"] > after_change), key=lambda each: each["change"]
        )


@pytest.fixture(autouse=True)
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversation_module, "REJOIN", (0.01,))


@asynccontextmanager
async def listening(server: Server, position: Position | None = START) -> AsyncIterator[Conversation]:
    async with serve(server.handle, "127.0.0.1", 0) as listener:
        port = next(iter(listener.sockets)).getsockname()[1]
        session = Session(f"http://127.0.0.1:{port}", "token", user_id="me")
        async with Client(session) as client, client.conversation(TOPIC, position=position) as conversation:
            yield conversation


async def take(events: AsyncIterator[Event], count: int) -> list[tuple[str, int, int]]:
    """Name, seq and change of the next messages and changes."""
    taken: list[tuple[str, int, int]] = []
    async with asyncio.timeout(10):
        while len(taken) < count:
            event = await anext(events)
            if event.name in {"new_msg", "message_updated"}:
                taken.append((event.name, event.payload["seq"], event.payload["change"]))
    return taken


def new(*seqs: int) -> list[tuple[str, int, int]]:
    return [("new_msg", seq, 0) for seq in seqs]


async def test_a_message_that_was_not_pushed_is_fetched_before_the_next() -> None:
    server = Server()
    async with listening(server) as conversation:
        await server.joined.wait()
        for _ in range(4):
            server.say()
        await server.broadcast("new_msg", server.say())

        assert await take(conversation.events(), 5) == new(1, 2, 3, 4, 5)


async def test_a_message_that_is_pushed_twice_is_delivered_once() -> None:
    server = Server()
    async with listening(server) as conversation:
        await server.joined.wait()
        for _ in range(2):
            sent = server.say()
            await server.broadcast("new_msg", sent)
            await server.broadcast("new_msg", sent)

        assert await take(conversation.events(), 2) == new(1, 2)


async def test_the_head_reveals_a_missed_broadcast() -> None:
    server = Server()
    async with listening(server) as conversation:
        await server.joined.wait()
        server.say()
        server.say()
        server.say()
        server.change(1)
        await server.head()

        assert await take(conversation.events(), 4) == [("new_msg", 1, 1), *new(2, 3), ("message_updated", 1, 1)]


async def test_a_change_that_was_not_pushed_is_fetched_before_the_next() -> None:
    server = Server()
    for _ in range(4):
        server.say()
    async with listening(server, Position("epoch", 4, 0)) as conversation:
        await server.joined.wait()
        for seq in (1, 2, 3):
            server.change(seq)
        await server.broadcast("message_updated", server.change(4))
        await server.broadcast("message_updated", server.messages[0])  # an old one, once more
        await server.broadcast("message_updated", server.change(1))
        changes = await take(conversation.events(), 4)

    # Each message comes once, as it is now: message 1 with its second change.
    assert changes == [("message_updated", seq, change) for seq, change in ((2, 2), (3, 3), (4, 4), (1, 5))]


async def test_a_change_comes_after_its_message() -> None:
    server = Server()
    async with listening(server) as conversation:
        await server.joined.wait()
        server.say()
        await server.broadcast("message_updated", server.change(1))

        assert await take(conversation.events(), 2) == [("new_msg", 1, 1), ("message_updated", 1, 1)]


async def test_positions_that_this_user_does_not_see_are_skipped() -> None:
    """In a group, changes to messages from before the user's time have a number and are not told."""
    server = Server()
    server.say()
    async with listening(server, Position("epoch", 1, 0)) as conversation:
        await server.joined.wait()
        server.last_change = 5
        await server.broadcast("message_updated", server.change(1))
        events = conversation.events()

        assert await take(events, 1) == [("message_updated", 1, 6)]
        assert conversation.position == Position("epoch", 1, 6)


async def test_everything_missed_comes_in_pages() -> None:
    server = Server()
    for _ in range(7):
        server.say()
    for seq in (1, 2, 3):
        server.change(seq)
    async with listening(server, Position("epoch", 3, 0)) as conversation:
        taken = await take(conversation.events(), 7)

        assert sorted(taken) == sorted([*new(4, 5, 6, 7), *(("message_updated", seq, seq) for seq in (1, 2, 3))])
        assert conversation.position == Position("epoch", 7, 3)


@pytest.mark.parametrize("event", ["phx_error", "phx_close"])
async def test_a_channel_that_ends_is_joined_again_on_the_same_socket(event: str) -> None:
    server = Server()
    async with listening(server) as conversation:
        await server.joined.wait()
        server.joined.clear()
        server.say()
        await server.end_channels(event)
        await server.joined.wait()

        assert await take(conversation.events(), 1) == new(1)
    assert len(server._sockets) == 1


async def test_a_temporary_refusal_is_retried() -> None:
    server = Server()
    server.refusals = {
        "phx_join": [{"reason": "unavailable"}, {"reason": "rate_limited", "retry_in_ms": 5}],
        "fetch": [{"reason": "rate_limited", "retry_in_ms": 5}],
        "new_msg": [{"reason": "unavailable"}, {"reason": "internal_error"}],
    }
    for _ in range(4):
        server.say()
    async with listening(server) as conversation:
        assert await take(conversation.events(), 4) == new(1, 2, 3, 4)
        await conversation.send("hello")

    assert (server.count("phx_join"), server.count("new_msg")) == (3, 3)
    assert len({payload["client_id"] for name, payload in server.received if name == "new_msg"}) == 1


async def test_a_permanent_refusal_is_raised_to_every_caller() -> None:
    server = Server()
    server.refusals = {"phx_join": [{"reason": "not_found"}]}
    async with listening(server) as conversation:
        with pytest.raises(Refused, match="not_found"):
            await take(conversation.events(), 1)
        with pytest.raises(Refused, match="not_found"):
            await conversation.send("hello")


async def test_events_of_the_old_channel_that_are_delivered_during_a_join_are_not_repeated() -> None:
    server = Server()
    async with listening(server) as conversation:
        events = conversation.events()
        await server.joined.wait()
        server.joined.clear()
        await server.broadcast("new_msg", server.say())
        await server.broadcast("new_msg", server.say())
        await server.broadcast("new_msg", server.say())
        assert await take(events, 1) == new(1)
        await server.end_channels("phx_error")
        await server.joined.wait()  # the consumer has not moved: this join says that it is at 1
        await asyncio.sleep(0.05)
        server.change(2)  # the page of that join has it as it was

        assert await take(events, 2) == new(2, 3)
        await server.broadcast("message_updated", server.messages[1])
        assert await take(events, 1) == [("message_updated", 2, 1)]


async def test_outside_of_its_block_a_conversation_is_not_usable() -> None:
    server = Server()
    async with listening(server) as conversation:
        pass
    with pytest.raises(RuntimeError, match="async with"):
        await conversation.send("too late")
