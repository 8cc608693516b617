"""What an application writes: one channel per topic that a client has joined.

class RoomChannel(Channel):
    async def join(self, params):
        if self.topic not in self.socket.assigns.rooms:
            raise Refused("not_found")
        return {}

    async def handle_in(self, event, payload):
        if event == "shout":
            self.broadcast("shout", payload)
            return ok()
        return await super().handle_in(event, payload)
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Literal, Protocol

from famichat.realtime.message import Broadcast, Payload, ReplyPayload, error
from famichat.realtime.socket import Socket

TerminateReason = Literal["left", "closed", "crashed", "gone"]
"""Why a channel ended: the client left it, the server closed it, it raised, or the connection went away."""


class JoinRefused(Exception):
    """Raised by `join` or `connect` to refuse a client; a string becomes `{"reason": ...}`."""

    def __init__(self, response: Mapping[str, Any] | str = "unauthorized") -> None:
        super().__init__("refused")
        self.response = {"reason": response} if isinstance(response, str) else response


class Deferred:
    """Returned by `handle_in` to reply later, so that the channel handles its next message meanwhile.

    The reply is sent when the awaitable is done. If `reply` raises, the channel crashes. A channel ends only after all
    its deferred replies are done.

    Args:
        awaitable: the work. A future costs least, because it needs no task.
        reply: called with the future of the work when that is done; returns the reply, by default the result.
    """

    __slots__ = ("awaitable", "reply")

    def __init__(
        self,
        awaitable: Awaitable[Any],
        reply: Callable[[asyncio.Future[Any]], ReplyPayload | None] = lambda future: future.result(),
    ) -> None:
        self.awaitable = awaitable
        self.reply = reply


class ChannelPort(Protocol):
    """Sends to a channel's client and to its topic; set when the channel starts."""

    def push(self, event: str, payload: Payload) -> None:
        """Send an event to this client only."""
        ...

    def broadcast(self, event: str, payload: Payload, *, exclude_self: bool, only: str | None) -> None:
        """Send an event to the subscribers of the topic; with `only`, to connections with this id."""
        ...

    def listen(self, event: str) -> None:
        """Receive an optional event of the topic."""
        ...

    def close(self) -> None:
        """End the channel."""
        ...


class Channel:
    """One client on one topic. An application subclasses it; an instance lives from a join to its leave.

    Its methods run one at a time, in the order of the client's messages; different channels run independently (rule
    22). An exception ends this channel only (rule 33).
    """

    def __init__(self, socket: Socket, topic: str) -> None:
        self.socket = socket
        self.topic = topic
        self._line: ChannelPort | None = None

    async def join(self, params: dict[str, Any]) -> Mapping[str, Any]:
        """Authorize the client's join.

        Broadcasts on the topic while this runs reach the client after the reply (rule 21); see `should_deliver`.

        Args:
            params: the payload of `phx_join`. Untrusted.

        Returns:
            the response of the join reply.

        Raises:
            JoinRefused: the client may not join. Any other exception is answered with "join crashed" (rule 20).
        """
        return {}

    async def after_join(self) -> None:
        """Run after the join reply was sent, for example to push `presence_state`."""

    async def handle_in(self, event: str, payload: Payload) -> ReplyPayload | Deferred | None:
        """Handle a message of the client. Return a reply, a `Deferred` to reply later, or None for no reply."""
        return error("unmatched event")

    async def terminate(self, reason: TerminateReason) -> None:
        """Clean up. Called exactly once for every channel that was joined, for whatever reason it ends."""

    def should_deliver(self, broadcast: Broadcast) -> bool:
        """Return whether a broadcast goes to the client (Phoenix: intercept and handle_out). Must not raise.

        Called for every broadcast, also after the join reply: `join` may have read data whose broadcast comes later,
        and the client must not get it twice.
        """
        return True

    def push(self, event: str, payload: Payload) -> None:
        """Send an event to this client only. Does nothing after the channel has ended."""
        self.line.push(event, payload)

    def broadcast(self, event: str, payload: Payload, *, exclude_self: bool = False, only: str | None = None) -> None:
        """Send an event to the subscribers of the topic on all nodes.

        Args:
            event: the event's name.
            payload: a JSON object or bytes.
            exclude_self: whether to leave out this client (Phoenix: broadcast_from).
            only: an id; only connections with this id receive the event.
        """
        self.line.broadcast(event, payload, exclude_self=exclude_self, only=only)

    def listen(self, event: str) -> None:
        """Receive an optional event of the topic, which only some clients support; see `PubSub.broadcast`."""
        self.line.listen(event)

    def close(self) -> None:
        """End this channel with `phx_close`, after which clients do not rejoin (rule 32)."""
        self.line.close()

    @property
    def line(self) -> ChannelPort:
        """The port to the client and the topic. Raises RuntimeError before the channel was started."""
        if self._line is None:
            raise RuntimeError("a channel can send only after it was started")
        return self._line

    @line.setter
    def line(self, line: ChannelPort) -> None:
        self._line = line


ChannelFactory = Callable[[Socket, str], Channel]
"""Creates the channel for a client's join of a topic; usually the `Channel` subclass."""
