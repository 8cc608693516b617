"""One conversation: a gap-free stream of events, and requests that survive a lost connection.

A background task keeps the channel joined. Events are delivered by the consumer's own iteration: while the consumer
waits, for instance in `send`, the channel can still be joined again, so that neither waits for the other.
"""

import asyncio
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, Literal, Self, cast

from famichat.client.backoff import REJOIN, Backoff
from famichat.client.connection import Connection
from famichat.client.errors import ClientError, Disconnected, Refused
from famichat.client.message import Message, Sent
from famichat.client.phoenix import Channel

Acknowledge = Literal["delivered", "read"]

_LEAVE_TIMEOUT: Final = 2.0
_BROKEN_FRAME: Final = frozenset({1009, 1011})
"""Close codes after a frame that the server cannot take. One may be a coincidence: the socket is shared."""
_MAX_BROKEN: Final = 3
_JOINED_FIELDS: Final = ("epoch", "last_seq", "recovered", "encryption_status")


@dataclass(frozen=True, slots=True)
class Position:
    """How far a consumer has read a conversation.

    Attributes:
        epoch: names the server's history; another one after a restore from a backup.
        last_seq: the last message that was delivered.
        last_change: the last edit, deletion or reaction that was delivered.
    """

    epoch: str
    last_seq: int
    last_change: int


@dataclass(frozen=True, slots=True)
class Event:
    """What happened in a conversation.

    Attributes:
        name: as on the wire: `new_msg`, `message_updated`, `message_status`, `typing`, `presence_state`,
            `presence_diff`, `head`. `joined` is the client's own, after each join; its `recovered` is false if the
            server was restored from a backup, and the newest messages follow again.
        payload: as on the wire.
    """

    name: str
    payload: dict[str, Any]


@dataclass(slots=True)
class _Joined:
    """A join: the channel, the server's response, and the position that was sent with it."""

    channel: Channel
    response: dict[str, Any]
    sent: Position | None
    is_applied: bool = False
    is_complete: bool = False


class Conversation:
    """A conversation of the signed-in user. Use it with `async with`; make it with `Client.conversation`.

    Args:
        connection: the device's socket.
        topic: `message:<type>:<id>`.
        user_id: the signed-in user, whose own messages are not acknowledged; None acknowledges all.
        position: where to resume; by default, start with the newest messages.
        history: without a position: how many of the messages before the start are delivered first, at most 200.
        acknowledge: the status that the other members see for delivered messages; None sends no status.
    """

    def __init__(
        self,
        connection: Connection,
        topic: str,
        *,
        user_id: str | None,
        position: Position | None = None,
        history: int = 0,
        acknowledge: Acknowledge | None = "delivered",
    ) -> None:
        self.topic = topic
        self._connection = connection
        self._user_id = user_id
        self._position = position
        self._history = history
        self._status = acknowledge
        self._seen = 0
        self._acknowledged = 0
        self._joined: _Joined | None = None
        self._turn = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None

    @property
    def position(self) -> Position | None:
        """The position after the last event that was delivered. Store it to resume after a restart of the program."""
        return self._position

    async def __aenter__(self) -> Self:
        self._keeper = asyncio.create_task(self._keep_joined(), name=f"join {self.topic}")
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        if self._joined is not None and not self._joined.channel.is_ended:
            with suppress(ClientError, TimeoutError):  # we are leaving either way
                async with asyncio.timeout(_LEAVE_TIMEOUT):
                    await self._joined.channel.leave()

    # Reading

    async def events(self) -> AsyncIterator[Event]:
        """Deliver every event until the block is left; `new_msg` once for each message, in order of `seq`.

        After a lost connection, missed messages and changes come first. A message is acknowledged when the consumer
        asks for the next event and none waits. Iterate only once at a time.

        Raises:
            SignedOut: the session has ended.
            Refused: the conversation cannot be read (any more), usually `not_found`.
        """
        joined = None
        while True:
            joined = await self._current(unlike=joined)
            try:
                if not joined.is_complete:
                    async for event in self._resume(joined):
                        yield event
                    joined.is_complete = True
                while True:
                    await self._acknowledge_seen(joined.channel)
                    name, payload = await anext(joined.channel)
                    async for event in self._apply(joined.channel, name, payload):
                        yield event
            except Disconnected:
                continue

    async def messages(self) -> AsyncIterator[Message]:
        """Deliver every new message once, in order, the user's own included. Raises as `events` does."""
        async for event in self.events():
            if event.name == "new_msg":
                yield cast("Message", event.payload)

    # Writing

    async def send(self, body: str, /, *, client_id: str | None = None, **fields: Any) -> Sent:
        """Send a message. Waits for a connection, and repeats the request until the server answers.

        Args:
            body: the text, at most 64 KiB of UTF-8.
            client_id: identifies the message among all messages of this user: with the same one, it is stored once.
                A random UUID by default. Derive it from the message that is answered, and a program that is restarted
                does not answer twice.
            fields: more fields of `new_msg` in `docs/protocol.md`, such as `reply_to`.

        Raises:
            Refused: the server does not accept the message; `conflict` if the `client_id` belongs to another one.
            SignedOut: the session has ended.
        """
        message = {**fields, "body": body, "client_id": client_id or str(uuid.uuid4())}
        return cast("Sent", await self._request("new_msg", message))

    async def edit(self, message_id: str, body: str, **fields: Any) -> dict[str, Any]:
        """Edit one of the user's own messages, within 24 hours. Raises as `send` does."""
        return await self._request("edit_msg", {**fields, "message_id": message_id, "body": body})

    async def delete(self, message_id: str) -> dict[str, Any]:
        """Delete one of the user's own messages or, as a group's admin, any message. Raises as `send` does."""
        return await self._request("delete_msg", {"message_id": message_id})

    async def react(self, message_id: str, emoji: str | None) -> dict[str, Any]:
        """Set the user's reaction to a message, or remove it (None). Raises as `send` does."""
        return await self._request("react", {"message_id": message_id, "emoji": emoji})

    async def acknowledge(self, seq: int, status: Acknowledge = "read") -> None:
        """Tell the other members that this device has all messages up to `seq`. Raises as `send` does."""
        await self._request("message_ack", {"seq": seq, "status": status})

    async def typing(self, *, is_typing: bool = True) -> None:
        """Show or hide the typing indicator. Does nothing without a connection: the next one would come too late."""
        if self._joined is not None:
            with suppress(Disconnected):
                await self._joined.channel.cast("typing", {"typing": is_typing})

    async def _request(self, event: str, payload: dict[str, Any]) -> dict[str, Any]:
        waits, broken = Backoff(REJOIN), 0
        while True:
            channel = (await self._current()).channel
            try:
                return await channel.push(event, payload)
            except Disconnected:
                broken += channel.close_code in _BROKEN_FRAME
                if broken == _MAX_BROKEN:
                    raise Refused("invalid_message", "The server closes the connection when it gets this") from None
            except Refused as refused:
                if not refused.is_transient:
                    raise
                await asyncio.sleep(waits.delay(refused.retry_in))

    # Keeping the channel joined

    async def _keep_joined(self) -> None:
        waits = Backoff(REJOIN)
        try:
            while True:
                joined = await self._join(waits)
                if joined is not None:
                    self._joined = joined
                    self._announce()
                    await joined.channel.wait_ended()
                    if joined.channel.close_code is None:  # only the channel ended: Phoenix waits before it rejoins
                        await asyncio.sleep(waits.delay())
        finally:
            self._announce()  # that it failed: `_current` raises the error

    async def _join(self, waits: Backoff) -> _Joined | None:
        """Join once. Returns None after a failure that may be over by now."""
        socket = await self._connection.socket()
        channel, position = socket.channel(self.topic), self._position
        try:
            params = {} if position is None else asdict(position)
            response = await channel.join({**params, "message_statuses": True})
        except Disconnected:
            if not socket.is_closed:
                await asyncio.sleep(waits.delay())
            return None
        except Refused as refused:
            if not refused.is_transient:
                raise
            await asyncio.sleep(waits.delay(refused.retry_in))
            return None
        waits.reset()
        return _Joined(channel, response, position)

    def _announce(self) -> None:
        self._turn.set()
        self._turn = asyncio.Event()

    async def _current(self, unlike: _Joined | None = None) -> _Joined:
        """Wait for a join whose channel has not ended, other than `unlike`."""
        while (joined := self._joined) is None or joined is unlike or joined.channel.is_ended:
            if self._keeper is None or self._keeper.cancelled():
                raise RuntimeError("use the conversation inside its `async with` block")
            if self._keeper.done():
                self._keeper.result()
            await self._turn.wait()
        return joined

    # Resuming and catching up

    async def _resume(self, joined: _Joined) -> AsyncIterator[Event]:
        """Deliver what the join brought, and fetch what did not fit into it."""
        response, channel = joined.response, joined.channel
        if not joined.is_applied:
            joined.is_applied = True
            async for event in self._first_page(response, joined.sent):
                yield event
        if self._read_to("last_seq") < response["last_seq"]:
            async for event in self._fetch(channel):
                yield event
        if self._read_to("last_change") < response["last_change"]:
            async for event in self._fetch_changes(channel):
                yield event
        self._acknowledged = 0  # the last acknowledgement may have been lost with the previous channel

    async def _first_page(self, response: dict[str, Any], sent: Position | None) -> AsyncIterator[Event]:
        """Deliver the messages and changes in the reply to a join.

        They follow the position that was sent with the join. If events of the previous channel were delivered while
        the join was on its way, the position has moved and the pages are ignored; `_resume` fetches from the new one.
        """
        is_current = self._position == sent
        is_new = sent is None or not response["recovered"]
        if is_new:
            self._start_over(response, limit=self._history if sent is None else None)
        yield Event("joined", {name: response[name] for name in _JOINED_FIELDS})
        if is_new or is_current:
            async for event in self._new_messages(response["messages"]):
                yield event
            async for event in self._changes(response["changes"]):
                yield event
            if not response["has_more_changes"]:
                self._advance(last_change=response["last_change"])

    def _start_over(self, response: dict[str, Any], limit: int | None) -> None:
        messages = response["messages"] if limit is None else response["messages"][-limit:] if limit else []
        before = messages[0]["seq"] - 1 if messages else response["last_seq"]
        self._position = Position(response["epoch"], before, response["last_change"])

    async def _new_messages(self, messages: list[dict[str, Any]]) -> AsyncIterator[Event]:
        for message in messages:
            if message["seq"] > self._read_to("last_seq"):
                self._advance(last_seq=message["seq"])
                if message["user_id"] != self._user_id:
                    self._seen = message["seq"]
                yield Event("new_msg", message)

    async def _changes(self, messages: list[dict[str, Any]]) -> AsyncIterator[Event]:
        for message in messages:
            if message["change"] > self._read_to("last_change"):
                self._advance(last_change=message["change"])
                yield Event("message_updated", message)

    async def _fetch(self, channel: Channel) -> AsyncIterator[Event]:
        """Deliver every message after the position."""
        has_more = True
        while has_more:
            page = await self._ask(channel, "fetch", {"after_seq": self._read_to("last_seq")})
            async for event in self._new_messages(page["messages"]):
                yield event
            has_more = page["has_more"] and bool(page["messages"])

    async def _fetch_changes(self, channel: Channel) -> AsyncIterator[Event]:
        """Deliver every change after the position, each message as it is now."""
        has_more = True
        while has_more:
            feed = await self._ask(channel, "fetch_changes", {"after_change": self._read_to("last_change")})
            if any(message["seq"] > self._read_to("last_seq") for message in feed["changes"]):
                async for event in self._fetch(channel):  # no change is delivered before its message
                    yield event
            async for event in self._changes(feed["changes"]):
                yield event
            has_more = feed["has_more"] and bool(feed["changes"])
            if not has_more:  # in a group, changes to messages from before the user's time are skipped
                self._advance(last_change=feed["last_change"])

    async def _apply(self, channel: Channel, name: str, payload: dict[str, Any]) -> AsyncIterator[Event]:
        """Deliver a live event, after the messages and changes that are missing before it."""
        match name:
            case "new_msg":
                missing, delivered = self._before_message(channel, payload["seq"]), self._new_messages([payload])
            case "message_updated":
                missing, delivered = self._before_change(channel, payload), self._changes([payload])
            case "head":
                missing, delivered = self._before_head(channel, payload), _deliver(Event(name, payload))
            case "message_statuses":
                missing, delivered = _deliver(), _deliver(*_statuses(payload))
            case _:
                missing, delivered = _deliver(), _deliver(Event(name, payload))
        async for event in missing:
            yield event
        async for event in delivered:
            yield event

    async def _before_message(self, channel: Channel, seq: int) -> AsyncIterator[Event]:
        if seq > self._read_to("last_seq") + 1:
            async for event in self._fetch(channel):
                yield event

    async def _before_change(self, channel: Channel, changed: dict[str, Any]) -> AsyncIterator[Event]:
        if changed["seq"] > self._read_to("last_seq"):
            async for event in self._fetch(channel):
                yield event
        if changed["change"] > self._read_to("last_change") + 1:
            async for event in self._fetch_changes(channel):
                yield event

    async def _before_head(self, channel: Channel, head: Mapping[str, Any]) -> AsyncIterator[Event]:
        if head["last_seq"] > self._read_to("last_seq"):
            async for event in self._fetch(channel):
                yield event
        if head["last_change"] > self._read_to("last_change"):
            async for event in self._fetch_changes(channel):
                yield event

    async def _ask(self, channel: Channel, event: str, payload: dict[str, Any]) -> dict[str, Any]:
        """Request a page on this channel, and again while the server refuses for now."""
        waits = Backoff(REJOIN)
        while True:
            try:
                return await channel.push(event, payload)
            except Refused as refused:
                if not refused.is_transient:
                    raise
                await asyncio.sleep(waits.delay(refused.retry_in))

    async def _acknowledge_seen(self, channel: Channel) -> None:
        """Acknowledge the delivered messages once no event waits. Acknowledgements are cumulative: one covers all."""
        if self._status is not None and self._seen > self._acknowledged and channel.is_empty:
            await channel.cast("message_ack", {"seq": self._seen, "status": self._status})
            self._acknowledged = self._seen

    def _read_to(self, counter: Literal["last_seq", "last_change"]) -> int:
        """A counter of the position, which every join sets."""
        return getattr(self._position, counter, 0)

    def _advance(self, **counters: int) -> None:
        if self._position is not None:
            ahead = {name: max(value, getattr(self._position, name)) for name, value in counters.items()}
            self._position = replace(self._position, **ahead)


async def _deliver(*events: Event) -> AsyncIterator[Event]:
    for event in events:
        yield event


def _statuses(payload: dict[str, Any]) -> list[Event]:
    """Split `message_statuses` into one `message_status` per device, which is what the server sends by default."""
    conversation_id = payload["conversation_id"]
    return [Event("message_status", {**each, "conversation_id": conversation_id}) for each in payload["statuses"]]
