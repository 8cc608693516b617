"""A channel at work: one task that joins it, hands it its messages one at a time, and ends it, exactly once."""

import asyncio
import itertools
import traceback
from collections import deque
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Protocol

from famichat.realtime.channel import Channel, Deferred, JoinRefused, TerminateReason
from famichat.realtime.events import ChannelFailed, emit
from famichat.realtime.message import Message, Outgoing, Payload, Push, Reply, ReplyPayload, error, ok
from famichat.realtime.pubsub import Dispatch, PubSub
from famichat.realtime.socket import CLOSE, ERROR, LEAVE, JoinedTopic, unmatched

_MAX_HELD = 1000
_TURN = 32


class ConnectionPort(Protocol):
    """What a running channel needs of the connection that it belongs to."""

    pubsub: PubSub
    ids: frozenset[str]
    max_deferred: int
    tells_replaced: bool
    """Whether the client is to hear that a new join closed its older channel."""

    def send(self, frame: Outgoing) -> None:
        """Queue a frame for the client."""
        ...

    def send_dispatch(self, dispatch: Dispatch) -> None:
        """Queue a broadcast for the client."""
        ...

    async def writable(self) -> None:
        """Wait until the client has read what it was sent."""
        ...

    def handled(self, frames: int, size: int) -> None:
        """Say that so many frames, of so many bytes, are off the channel's hands."""
        ...

    def ended(self, runner: "ChannelServer") -> None:
        """Say that this channel has ended."""
        ...


class ChannelServer:
    """Runs one channel in one seat. It is what listens to the topic for the client, and the channel's line out."""

    def __init__(
        self,
        home: ConnectionPort,
        seat: JoinedTopic,
        make: Callable[[], Channel],
        replaces: "ChannelServer | None" = None,
    ) -> None:
        self.seat = seat
        self.ids = home.ids
        self._home = home
        self._make = make
        self._channel: Channel
        self._replaces = replaces
        self._inbox: deque[tuple[Message, int]] = deque()
        self._unhandled = [0, 0]  # frames and bytes that were accepted and are not done with
        self._awake = asyncio.Event()
        self._deferred: set[asyncio.Task[None]] = set()
        self._held: list[Push | Dispatch] | None = []  # what comes before the join's reply; None from then on
        self._joined = False
        self._departure: TerminateReason | None = None
        self._was_replaced = False
        self._silent = False
        self._over = asyncio.Event()

    def start(self, join: Message, size: int) -> None:
        """Ask the application whether the client may join, and go on from there."""
        # Listening starts before that, so that nothing said meanwhile is missed.
        self._home.pubsub.subscribe(self.seat.topic, self)
        self._accepted(size)
        self._task = asyncio.get_running_loop().create_task(self._run(join, size))

    # What the connection calls

    def accept(self, message: Message, size: int) -> None:
        """Take a message for the channel, to be handled after those before it."""
        self._accepted(size)
        self._inbox.append((message, size))
        self._awake.set()

    def finish(self, timeout: float, *, replaced: bool = False) -> None:
        """End the channel when it has handled what it was already sent; after `timeout` seconds, break it off."""
        self._was_replaced = replaced and self._departure is None
        self._unsubscribe()
        self._departure = self._departure or ("closed" if replaced else "gone")
        self._awake.set()
        self._break_off_after(timeout)

    def drop(self, timeout: float) -> None:
        """End the channel without a word, and without handling what it was sent."""
        self._stop("gone", None)
        self._break_off_after(timeout)

    async def over(self) -> None:
        """Wait for the end."""
        await self._over.wait()

    # What the topic calls

    def deliver(self, dispatch: Dispatch) -> None:
        """Queue a broadcast for the client, or hold it until the join has been answered."""
        if self._held is not None:
            self._hold(dispatch)
        elif self._channel.should_deliver(dispatch.broadcast):
            self._home.send_dispatch(dispatch)

    def evict(self) -> None:
        """End the channel now, told with phx_close if the client knows of it already."""
        if not self._silent:
            self._stop("closed", self.seat.ended(CLOSE, {}) if self._held is None else None)

    # The channel's line out

    def push(self, event: str, payload: Payload) -> None:
        """Send an event to this client only."""
        push = Push(self.seat.push_ref, self.seat.topic, event, payload)
        if self._held is None:
            self._send(push)
        else:
            self._hold(push)

    def broadcast(self, event: str, payload: Payload, *, exclude_self: bool, only: str | None) -> None:
        """Send an event to the topic."""
        exclude = self if exclude_self else None
        self._home.pubsub.broadcast(self.seat.topic, event, payload, exclude=exclude, only=only)

    def close(self) -> None:
        """End the channel on the application's wish."""
        self.evict()

    # The life of a channel

    async def _run(self, join: Message, size: int) -> None:
        try:
            if self._replaces is not None:
                await self._replaces.over()
            if await self._join(join, size):
                await self._serve()
        except Exception as fault:  # noqa: BLE001 - the line below says why
            # Whatever an application raises ends this channel, and nothing else.
            self._crash(fault, "handle_in")
        finally:
            try:
                await self._leave()
            finally:
                self._end()

    async def _join(self, join: Message, size: int) -> bool:
        reply = await self._ask_to_join(join)
        if reply.status == "error" or self._silent:
            self._stop("closed", None)
        self._answer_join(join, reply)
        self._close_replaced()
        self._handled(size)
        if self._silent:
            return False
        self._release_held()
        return True

    def _answer_join(self, join: Message, reply: ReplyPayload) -> None:
        if self._silent and reply.status == "ok":
            reply = error("join crashed")  # it was put out again before it was told that it is in
        try:
            self._home.send(Reply(join.join_ref, join.ref, join.topic, reply))
        except (TypeError, ValueError) as fault:
            # What join returned cannot be encoded.
            _report(fault, "join")
            self._stop("crashed", None)
            self._home.send(Reply(join.join_ref, join.ref, join.topic, error("join crashed")))

    async def _ask_to_join(self, join: Message) -> ReplyPayload:
        try:
            self._channel = self._make()
            self._channel.line = self
            response = await self._channel.join(join.payload)
            self._joined = True
            if not isinstance(response, dict):
                raise TypeError("join returns a dict, or raises Refused")  # noqa: TRY301 - a crash like any other
            return ok(response)
        except JoinRefused as refusal:
            return error(refusal.response)
        except Exception as fault:  # noqa: BLE001 - the line below says why
            # Clients know this answer, and try again later.
            _report(fault, "join")
            return error("join crashed")

    async def _serve(self) -> None:
        await self._channel.after_join()
        turns = itertools.cycle(range(_TURN))
        while (work := await self._next()) is not None:
            if next(turns) == 0:
                await asyncio.sleep(0)  # a client with much to say lets the others have their turn
            message, size = work
            if message.event == LEAVE:
                await self._farewell(message)
            else:
                await self._handle(message, size)

    async def _next(self) -> tuple[Message, int] | None:
        while not self._inbox:
            if self._departure is not None:
                return None
            self._awake.clear()
            await self._awake.wait()
        # A client that does not read its answers is not asked for more of them.
        await self._home.writable()
        return self._inbox.popleft() if self._inbox else None

    async def _handle(self, message: Message, size: int) -> None:
        answer = await self._channel.handle_in(message.event, message.payload)
        if not isinstance(answer, Deferred):
            self._reply(message, answer)
            self._handled(size)
            return
        while len(self._deferred) >= self._home.max_deferred:
            await asyncio.wait(self._deferred, return_when=asyncio.FIRST_COMPLETED)
        task = asyncio.get_running_loop().create_task(self._answer_later(message, size, answer.awaitable))
        self._deferred.add(task)
        task.add_done_callback(self._deferred.discard)

    async def _answer_later(self, message: Message, size: int, awaitable: Awaitable[ReplyPayload | None]) -> None:
        try:
            self._reply(message, await awaitable)
            self._handled(size)
        except Exception as fault:  # noqa: BLE001 - the line below says why
            # As if handle_in itself had raised.
            self._crash(fault, "deferred")

    def _reply(self, message: Message, reply: ReplyPayload | None) -> None:
        if reply is None:
            return
        if not isinstance(reply, ReplyPayload):
            raise TypeError("handle_in returns ok(...), error(...), a Deferred or None")
        self._send(Reply(self.seat.push_ref, message.ref, self.seat.topic, reply))

    # The end

    async def _farewell(self, message: Message) -> None:
        """Answer a client that leaves; its phx_close comes when the channel has cleaned up."""
        await self._settle()
        self._unsubscribe()
        self._send(Reply(self.seat.push_ref, message.ref, self.seat.topic, ok()))
        if not self._silent:
            self._departure, self._was_replaced = "left", False

    def _crash(self, fault: Exception, stage: str) -> None:
        _report(fault, stage)
        if not self._silent:
            self._stop("crashed", self.seat.ended(ERROR, {"reason": "channel_crash"}))

    def _stop(self, departure: TerminateReason, farewell: Message | None) -> None:
        """End now: from here on the client hears nothing through this channel but the farewell."""
        self._unsubscribe()
        self.seat.open = False
        self._departure, self._was_replaced = departure, False
        if farewell is not None:
            self._home.send(farewell)
        self._silent = True
        for message, _ in self._inbox:
            self._home.send(unmatched(message))
        self._inbox.clear()
        self._awake.set()

    async def _leave(self) -> None:
        self._unsubscribe()
        self.seat.open = False
        await self._settle()
        if not self._joined:
            return
        try:
            await self._channel.terminate(self._departure or "crashed")
        except Exception as fault:  # noqa: BLE001 - the line below says why
            # The channel is ending anyway; what it left undone is for the log.
            _report(fault, "leave")
        if self._departure == "left":
            self._send(self.seat.ended(CLOSE, {}))

    def _end(self) -> None:
        self._silent = True
        self._handled(self._unhandled[1], self._unhandled[0])
        self._over.set()
        self._home.ended(self)

    async def _settle(self) -> None:
        """Wait for everything that was deferred, for its effects as much as for its replies."""
        while self._deferred:
            await asyncio.wait(self._deferred)

    def _close_replaced(self) -> None:
        old, self._replaces = self._replaces, None
        if old is not None and old.closed_by_replacement and self._home.tells_replaced:
            self._home.send(old.seat.ended(CLOSE, {}))

    @property
    def closed_by_replacement(self) -> bool:
        """Whether the client has yet to hear that this channel is over, because a new join ended it."""
        return self._was_replaced and self._joined

    # Small things

    def _accepted(self, size: int) -> None:
        self._unhandled[0] += 1
        self._unhandled[1] += size

    def _handled(self, size: int, frames: int = 1) -> None:
        if self._over.is_set():
            return  # something deferred outlived its channel, whose work has been counted off already
        self._unhandled[0] -= frames
        self._unhandled[1] -= size
        self._home.handled(frames, size)

    def _unsubscribe(self) -> None:
        self._home.pubsub.unsubscribe(self.seat.topic, self)

    def _break_off_after(self, timeout: float) -> None:
        if not self._task.done():
            timer = asyncio.get_running_loop().call_later(timeout, self._task.cancel)
            self._task.add_done_callback(lambda _: timer.cancel())

    def _send(self, frame: Outgoing) -> None:
        if not self._silent:
            self._home.send(frame)

    def _hold(self, item: Push | Dispatch) -> None:
        if self._held is None or self._silent:
            return
        if len(self._held) < _MAX_HELD:
            self._held.append(item)
        else:
            # Too much was said while it joined: it shall join again, and be told where it stands then.
            self._held = []
            self._stop("closed", None)

    def _release_held(self) -> None:
        held, self._held = self._held or [], None
        for item in held:
            if isinstance(item, Push):
                self._send(item)
            elif not self._silent and self._channel.should_deliver(item.broadcast):
                self._home.send_dispatch(item)


def _report(fault: Exception, stage: str) -> None:
    # Where, but not what: an exception's text may quote a message or a token.
    where = traceback.extract_tb(fault.__traceback__)[-1]
    error_type = f"{type(fault).__module__}.{type(fault).__qualname__}"
    emit(ChannelFailed(stage=stage, error_type=error_type, where=f"{Path(where.filename).name}:{where.lineno}"))
