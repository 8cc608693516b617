"""A bounded queue of frames for one client, written once per iteration of the event loop.

A burst of broadcasts costs one write per client and iteration, not one per frame. A client that does not read is
disconnected when its queue is full, or its address has too many unread bytes; other clients are not affected.
"""

import asyncio
from collections.abc import Callable

from famichat.realtime.small_event import SmallEvent
from famichat.realtime.transport.limits import Limits

UNCOUNTED_BYTES = 32 * 1024
"""Unread bytes of a connection that are not counted, so that the clients of a slow moment cost nothing."""


class Outbox:
    """A bounded queue in front of a transport.

    Args:
        transport: where the frames are written.
        limits: the most frames and bytes in the queue.
        overflow: called when a client does not read, and its queue is over a limit or the deadline has passed.
        count: counts the unread bytes of this client, and returns whether the limits of all clients are kept.
    """

    def __init__(
        self,
        transport: asyncio.Transport,
        limits: Limits,
        overflow: Callable[[], None],
        count: Callable[[int], bool],
    ) -> None:
        self._transport = transport
        self._limits = limits
        self._overflow = overflow
        self._count = count
        self._check_at = limits.queue_bytes
        self._loop = asyncio.get_running_loop()
        self._frames: list[bytes] = []
        self._bytes = 0
        self._scheduled = False
        self._writable = SmallEvent()
        self._writable.set()
        self._read_deadline: asyncio.TimerHandle | None = None

    @property
    def frames(self) -> int:
        """The number of queued frames."""
        return len(self._frames)

    @property
    def size(self) -> int:
        """The number of queued bytes."""
        return self._bytes

    def put(self, data: bytes) -> None:
        """Queue a frame. It is written at the end of this iteration, or when the client reads again."""
        self._frames.append(data)
        self._bytes += len(data)
        if self._bytes > self._check_at or len(self._frames) > self._limits.queue_frames:
            self._check()
        elif not self._scheduled and self._writable.is_set():
            self._scheduled = True
            self._loop.call_soon(self._flush_turn)

    def flush(self) -> None:
        """Write all queued frames now."""
        if self._frames:
            frames, self._frames, self._bytes = self._frames, [], 0
            self._transport.write(frames[0] if len(frames) == 1 else b"".join(frames))

    def clear(self) -> None:
        """Discard all queued frames."""
        self._frames, self._bytes = [], 0

    def pause(self) -> None:
        """Stop writing: the socket buffer is full, because the client does not read. Start the deadline for reading."""
        self._writable.clear()
        self._read_deadline = self._loop.call_later(self._limits.write_timeout, self._overflow)
        self._count_unread()

    def resume(self) -> None:
        """Write the queued frames: the client reads again."""
        if self._read_deadline is not None:
            self._read_deadline.cancel()
        self._count(0)
        self._check_at = self._limits.queue_bytes
        self._writable.set()
        self.flush()

    async def writable(self) -> None:
        """Wait until the socket accepts writes."""
        await self._writable.wait()

    def _flush_turn(self) -> None:
        self._scheduled = False
        if self._writable.is_set():
            self.flush()

    def _check(self) -> None:
        if self._writable.is_set():
            self.flush()  # the client reads; this iteration just has many frames
        elif len(self._frames) > 1 and self._is_full():  # one frame alone may be larger than the whole queue
            self._overflow()
        else:
            self._count_unread()

    def _is_full(self) -> bool:
        return self._bytes > self._limits.queue_bytes or len(self._frames) > self._limits.queue_frames

    def _count_unread(self) -> None:
        """Count the queue and the socket buffer, and set when to count again: not for every frame."""
        self._check_at = min(self._bytes + UNCOUNTED_BYTES, self._limits.queue_bytes)
        unread = self._bytes + self._transport.get_write_buffer_size()
        if not self._count(max(0, unread - UNCOUNTED_BYTES)):
            self._overflow()
