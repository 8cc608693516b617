"""Runs a channel: one task joins it, passes it its messages one at a time, and terminates it exactly once.

Phoenix runs a process per channel; this is the asyncio counterpart. The order of frames matters to clients, and this
module guarantees it:

- The subscription starts before `join` is called, and broadcasts are held until the join reply is queued. So the reply
  is the first frame of the channel, and no broadcast between the two is lost (rule 21).
- Messages that arrive while `join` runs wait in the inbox (rule 22).
- After a duplicate join, the new channel waits until the old one has terminated. Otherwise the old channel could still
  write, or untrack a presence, on behalf of the new one (rule 23).
- Every path to the end goes through `_terminate` and `_end` in the `finally` of `_run`, so `terminate` runs once even
  if the task is cancelled.
"""

import asyncio
import itertools
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from famichat.realtime.channel import Channel, Deferred, JoinRefused, TerminateReason
from famichat.realtime.events import ChannelFailed, emit
from famichat.realtime.message import Message, Outgoing, Payload, Push, Reply, ReplyPayload, error, ok
from famichat.realtime.pubsub import Dispatch, PubSub
from famichat.realtime.small_event import SmallEvent
from famichat.realtime.socket import CLOSE, ERROR, LEAVE, JoinedTopic, unmatched

_MakeReply = Callable[[asyncio.Future[Any]], ReplyPayload | None]

_MAX_HELD = 1000
_TURN = 32


class ConnectionPort(Protocol):
    """The connection of a channel, as `ChannelServer` uses it."""

    pubsub: PubSub
    ids: frozenset[str]
    max_deferred: int
    announces_replacement: bool
    """Whether the client gets `phx_close` when a duplicate join replaces its channel."""

    def send(self, frame: Outgoing) -> None:
        """Queue a frame for the client."""
        ...

    def send_dispatch(self, dispatch: Dispatch) -> None:
        """Queue a broadcast for the client."""
        ...

    async def writable(self) -> None:
        """Wait until the client has read enough of its queued frames."""
        ...

    def handled(self, frames: int, size: int) -> None:
        """Report that the channel has handled a number of frames and bytes, for back-pressure."""
        ...

    def ended(self, channel: "ChannelServer") -> None:
        """Report that a channel has ended."""
        ...


class ChannelServer:
    """Runs one channel of one joined topic. It is the topic's subscriber and the channel's port.

    Args:
        connection: the client's connection.
        joined_topic: the topic and its refs.
        make: creates the channel.
        replaces: the channel of an earlier join of this topic, which must terminate first.
    """

    def __init__(
        self,
        connection: ConnectionPort,
        joined_topic: JoinedTopic,
        make: Callable[[], Channel],
        replaces: "ChannelServer | None" = None,
    ) -> None:
        self.joined_topic = joined_topic
        self.ids = connection.ids
        self._connection = connection
        self._make = make
        self._channel: Channel
        self._replaces = replaces
        # A list, because an empty deque takes 760 bytes, and `Limits.inbox_frames` keeps it short.
        self._inbox: list[tuple[Message, int]] = []
        self._unhandled = [0, 0]  # accepted frames and bytes that are not yet handled
        self._awake = SmallEvent()
        self._deferred: set[asyncio.Future[Any]] = set()
        self._held: list[Push | Dispatch] | None = []  # frames held back until the join reply is sent; None afterwards
        self._joined = False
        self._terminate_reason: TerminateReason | None = None
        self._was_replaced = False
        self._silent = False
        self._over = SmallEvent()
        self._optional_events: list[str] = []

    def start(self, join: Message, size: int) -> None:
        """Start the task that joins and runs the channel.

        Args:
            join: the client's phx_join.
            size: its size in bytes.
        """
        # Subscribe before the join is authorized, so that no broadcast is missed meanwhile. `deliver` holds them back.
        self._connection.pubsub.subscribe(self.joined_topic.topic, self)
        self._accepted(size)
        self._task = asyncio.get_running_loop().create_task(self._run(join, size))

    # What the connection calls

    def accept(self, message: Message, size: int) -> None:
        """Append a message of the given size to the channel's inbox."""
        self._accepted(size)
        self._inbox.append((message, size))
        self._awake.set()

    def finish(self, timeout: float, *, replaced: bool = False) -> None:
        """End the channel after it has handled its inbox; cancel it after `timeout` seconds."""
        self._was_replaced = replaced and self._terminate_reason is None
        self._unsubscribe()
        self._terminate_reason = self._terminate_reason or ("closed" if replaced else "gone")
        self._awake.set()
        self._break_off_after(timeout)

    def drop(self, timeout: float) -> None:
        """End the channel without a frame and without handling its inbox; cancel it after `timeout` seconds."""
        self._stop("gone", None)
        self._break_off_after(timeout)

    async def over(self) -> None:
        """Wait until the channel has terminated."""
        await self._over.wait()

    # What the topic calls

    def deliver(self, dispatch: Dispatch) -> None:
        """Queue a broadcast for the client; before the join reply, hold it back."""
        if self._held is not None:
            self._hold(dispatch)
        elif self._should_deliver(dispatch):
            self._connection.send_dispatch(dispatch)

    def evict(self) -> None:
        """End the channel now, with phx_close if the client has already received the join reply."""
        if not self._silent:
            self._stop("closed", self.joined_topic.ended(CLOSE, {}) if self._held is None else None)

    # What the channel calls

    def push(self, event: str, payload: Payload) -> None:
        """Send an event to this client only."""
        push = Push(self.joined_topic.push_ref, self.joined_topic.topic, event, payload)
        if self._held is None:
            self._send(push)
        else:
            self._hold(push)

    def broadcast(self, event: str, payload: Payload, *, exclude_self: bool, only: str | None) -> None:
        """Send an event to the topic."""
        exclude = self if exclude_self else None
        self._connection.pubsub.broadcast(self.joined_topic.topic, event, payload, exclude=exclude, only=only)

    def listen(self, event: str) -> None:
        """Receive an optional event of the topic until the channel ends."""
        if not self._silent:
            self._optional_events.append(event)
            self._connection.pubsub.listen(self.joined_topic.topic, event, self)

    def close(self) -> None:
        """End the channel at the application's request (rule 32)."""
        self.evict()

    # The life of a channel

    async def _run(self, join: Message, size: int) -> None:
        try:
            if self._replaces is not None:
                await self._replaces.over()
            if await self._join(join, size):
                await self._serve()
        except Exception as fault:  # noqa: BLE001 - an exception of the application ends this channel only (rule 33)
            self._crash(fault, "handle_in")
        finally:
            try:
                await self._terminate()
            finally:
                self._end()

    async def _join(self, join: Message, size: int) -> bool:
        reply = await self._ask_to_join(join)
        if reply.status == "error" or self._silent:
            self._stop("closed", None)
        self._reply_to_join(join, reply)
        self._close_replaced()
        self._handled(size)
        if self._silent:
            return False
        self._release_held()
        return True

    def _reply_to_join(self, join: Message, reply: ReplyPayload) -> None:
        if self._silent and reply.status == "ok":
            reply = error("join crashed")  # the channel was evicted while `join` ran
        try:
            self._connection.send(Reply(join.join_ref, join.ref, join.topic, reply))
        except (TypeError, ValueError) as fault:
            # The response of `join` cannot be encoded.
            _report(fault, "join")
            self._stop("crashed", None)
            self._connection.send(Reply(join.join_ref, join.ref, join.topic, error("join crashed")))

    async def _ask_to_join(self, join: Message) -> ReplyPayload:
        try:
            self._channel = self._make()
            self._channel.line = self
            response = await self._channel.join(join.payload)
            self._joined = True
            if not isinstance(response, dict):
                raise TypeError("join returns a dict, or raises JoinRefused")  # noqa: TRY301 - a crash like any other
            return ok(response)
        except JoinRefused as refusal:
            return error(refusal.response)
        except Exception as fault:  # noqa: BLE001 - clients know this reply, and retry later (rule 20)
            _report(fault, "join")
            return error("join crashed")

    async def _serve(self) -> None:
        await self._channel.after_join()
        turns = itertools.cycle(range(_TURN))
        while (work := await self._next()) is not None:
            if next(turns) == 0:
                await asyncio.sleep(0)  # let other channels run: handling a message may never suspend
            message, size = work
            if message.event == LEAVE:
                await self._handle_leave(message)
            else:
                await self._handle(message, size)

    async def _next(self) -> tuple[Message, int] | None:
        while not self._inbox:
            if self._terminate_reason is not None:
                return None
            self._awake.clear()
            await self._awake.wait()
        # Back-pressure: handle no further message of a client that does not read its replies.
        await self._connection.writable()
        return self._inbox.pop(0) if self._inbox else None

    async def _handle(self, message: Message, size: int) -> None:
        result = await self._channel.handle_in(message.event, message.payload)
        if not isinstance(result, Deferred):
            self._reply(message, result)
            self._handled(size)
            return
        while len(self._deferred) >= self._connection.max_deferred:
            await asyncio.wait(self._deferred, return_when=asyncio.FIRST_COMPLETED)
        future = asyncio.ensure_future(result.awaitable)
        self._deferred.add(future)
        future.add_done_callback(partial(self._reply_later, message, size, result.reply))

    def _reply_later(self, message: Message, size: int, reply: _MakeReply, future: asyncio.Future[Any]) -> None:
        self._deferred.discard(future)
        if future.cancelled():
            return  # the event loop is being closed
        try:
            self._reply(message, reply(future))
            self._handled(size)
        except Exception as fault:  # noqa: BLE001 - treated as if `handle_in` had raised
            self._crash(fault, "deferred")

    def _reply(self, message: Message, reply: ReplyPayload | None) -> None:
        if reply is None:
            return
        if not isinstance(reply, ReplyPayload):
            raise TypeError("handle_in returns ok(...), error(...), a Deferred or None")
        self._send(Reply(self.joined_topic.push_ref, message.ref, self.joined_topic.topic, reply))

    # The end

    async def _handle_leave(self, message: Message) -> None:
        """Reply to phx_leave; phx_close follows when the channel has terminated (rule 31)."""
        await self._settle()
        self._unsubscribe()
        self._send(Reply(self.joined_topic.push_ref, message.ref, self.joined_topic.topic, ok()))
        if not self._silent:
            self._terminate_reason, self._was_replaced = "left", False

    def _should_deliver(self, dispatch: Dispatch) -> bool:
        """Ask the channel. If it raises, only this channel ends: the broadcast still reaches the other subscribers."""
        try:
            return self._channel.should_deliver(dispatch.broadcast)
        except Exception as fault:  # noqa: BLE001 - the application's bug
            self._crash(fault, "should_deliver")
            return False

    def _crash(self, fault: Exception, stage: str) -> None:
        _report(fault, stage)
        if not self._silent:
            self._stop("crashed", self.joined_topic.ended(ERROR, {"reason": "channel_crash"}))

    def _stop(self, reason: TerminateReason, last_frame: Message | None) -> None:
        """End the channel now. The client gets `last_frame`, if given, and no further frame of this channel."""
        self._unsubscribe()
        self.joined_topic.open = False
        self._terminate_reason, self._was_replaced = reason, False
        if last_frame is not None:
            self._connection.send(last_frame)
        self._silent = True
        for message, _ in self._inbox:
            self._connection.send(unmatched(message))
        self._inbox.clear()
        self._awake.set()

    async def _terminate(self) -> None:
        self._unsubscribe()
        self.joined_topic.open = False
        await self._settle()
        if not self._joined:
            return
        try:
            await self._channel.terminate(self._terminate_reason or "crashed")
        except Exception as fault:  # noqa: BLE001 - the channel ends anyway; the failure is reported
            _report(fault, "leave")
        if self._terminate_reason == "left":
            self._send(self.joined_topic.ended(CLOSE, {}))

    def _end(self) -> None:
        self._silent = True
        self._handled(self._unhandled[1], self._unhandled[0])
        self._over.set()
        self._connection.ended(self)

    async def _settle(self) -> None:
        """Wait until all deferred replies are done, because their effects must be complete before `terminate`."""
        while self._deferred:
            await asyncio.wait(self._deferred)

    def _close_replaced(self) -> None:
        old, self._replaces = self._replaces, None
        if old is not None and old.closed_by_replacement and self._connection.announces_replacement:
            self._connection.send(old.joined_topic.ended(CLOSE, {}))

    @property
    def closed_by_replacement(self) -> bool:
        """Whether a duplicate join ended this channel, so that the client still has to get phx_close."""
        return self._was_replaced and self._joined

    # Helpers

    def _accepted(self, size: int) -> None:
        self._unhandled[0] += 1
        self._unhandled[1] += size

    def _handled(self, size: int, frames: int = 1) -> None:
        if self._over.is_set():
            return  # a deferred reply outlived its channel, which has already been counted as handled
        self._unhandled[0] -= frames
        self._unhandled[1] -= size
        self._connection.handled(frames, size)

    def _unsubscribe(self) -> None:
        self._connection.pubsub.unsubscribe(self.joined_topic.topic, self, *self._optional_events)

    def _break_off_after(self, timeout: float) -> None:
        if not self._task.done():
            timer = asyncio.get_running_loop().call_later(timeout, self._task.cancel)
            self._task.add_done_callback(lambda _: timer.cancel())

    def _send(self, frame: Outgoing) -> None:
        if not self._silent:
            self._connection.send(frame)

    def _hold(self, item: Push | Dispatch) -> None:
        if self._held is None or self._silent:
            return
        if len(self._held) < _MAX_HELD:
            self._held.append(item)
        else:
            # Too many broadcasts during the join. The client gets "join crashed" and joins again with a new snapshot.
            self._held = []
            self._stop("closed", None)

    def _release_held(self) -> None:
        held, self._held = self._held or [], None
        for item in held:
            if isinstance(item, Push):
                self._send(item)
            elif not self._silent and self._should_deliver(item):
                self._connection.send_dispatch(item)


def _report(fault: Exception, stage: str) -> None:
    # Report the location but not the text: it may quote a message or a token.
    where = traceback.extract_tb(fault.__traceback__)[-1]
    error_type = f"{type(fault).__module__}.{type(fault).__qualname__}"
    emit(ChannelFailed(stage=stage, error_type=error_type, where=f"{Path(where.filename).name}:{where.lineno}"))
