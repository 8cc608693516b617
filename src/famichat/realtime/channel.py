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

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Literal, Protocol

from famichat.realtime.message import Broadcast, Payload, ReplyPayload, error
from famichat.realtime.socket import Socket

TerminateReason = Literal["left", "closed", "crashed", "gone"]
"""Why a channel ended: the client left it, the server closed it, it raised, or the connection went away."""


class JoinRefused(Exception):
    """Raised by `join` or `connect` to turn a client away; a bare string becomes `{"reason": ...}`."""

    def __init__(self, response: Mapping[str, Any] | str = "unauthorized") -> None:
        super().__init__("refused")
        self.response = {"reason": response} if isinstance(response, str) else response


class Deferred:
    """Returned by `handle_in` to answer later: the channel takes its next message now.

    The reply is sent when the awaitable is done. If it raises, the channel crashes. Before a channel ends, all that it
    deferred is awaited.
    """

    __slots__ = ("awaitable",)

    def __init__(self, awaitable: Awaitable[ReplyPayload | None]) -> None:
        self.awaitable = awaitable


class ChannelPort(Protocol):
    """A channel's way out to its client and its topic, given to it when it starts."""

    def push(self, event: str, payload: Payload) -> None:
        """Send to this client only."""
        ...

    def broadcast(self, event: str, payload: Payload, *, exclude_self: bool, only: str | None) -> None:
        """Send to everybody on the topic, or to those who carry an id."""
        ...

    def close(self) -> None:
        """End the channel."""
        ...


class Channel:
    """One client on one topic. Subclass it; an instance lives from one join to its leave.

    Its methods run one at a time, in the order in which the client sent; different channels run independently.
    Anything raised ends this channel and nothing else.
    """

    def __init__(self, socket: Socket, topic: str) -> None:
        self.socket = socket
        self.topic = topic
        self._line: ChannelPort | None = None

    async def join(self, params: dict[str, Any]) -> Mapping[str, Any]:
        """Decide whether the client may join, and return what it is told.

        What is broadcast on the topic while this runs reaches the client after the reply: see `should_deliver`.

        Raises:
            Refused: it may not. Anything else that is raised is answered with "join crashed".
        """
        return {}

    async def after_join(self) -> None:
        """Do what comes after the join's reply, such as pushing `presence_state`."""

    async def handle_in(self, event: str, payload: Payload) -> ReplyPayload | Deferred | None:
        """Answer a message from the client: now, later, or not at all."""
        return error("unmatched event")

    async def terminate(self, reason: TerminateReason) -> None:
        """Clean up. Called exactly once for every channel that was joined, however it ends."""

    def should_deliver(self, broadcast: Broadcast) -> bool:
        """Whether a broadcast is not yet part of what `join` returned.

        Asked of each, also after the join's reply: what `join` read may have been broadcast only later. Must not raise.
        """
        return True

    def push(self, event: str, payload: Payload) -> None:
        """Send an event to this client only. After the channel's end, this does nothing."""
        self.line.push(event, payload)

    def broadcast(self, event: str, payload: Payload, *, exclude_self: bool = False, only: str | None = None) -> None:
        """Send an event to everybody on the topic, on all nodes, this client included unless excluded.

        With `only`, to those alone whose connection carries this id.
        """
        self.line.broadcast(event, payload, exclude_self=exclude_self, only=only)

    def close(self) -> None:
        """End this channel; the client is told with `phx_close` and will not rejoin by itself."""
        self.line.close()

    @property
    def line(self) -> ChannelPort:
        """The way out, once the channel has been started."""
        if self._line is None:
            raise RuntimeError("a channel can send only after it was started")
        return self._line

    @line.setter
    def line(self, line: ChannelPort) -> None:
        self._line = line


ChannelFactory = Callable[[Socket, str], Channel]
"""Makes the channel for one client's join of one topic; usually the class itself."""
