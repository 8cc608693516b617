"""The frames waiting for one client, written together once per turn of the event loop.

A broadcast storm costs one write per client and turn, not one per frame. The wait is bounded: who does not read is
closed when its queue is full, and nobody else notices.
"""

import asyncio
from collections.abc import Callable

from famichat.realtime.transport.limits import Limits


class Outbox:
    """A bounded queue in front of a transport.

    Args:
        transport: where it writes.
        limits: how much may wait.
        overflow: called when more than that waits for a client that is not reading.
    """

    def __init__(self, transport: asyncio.Transport, limits: Limits, overflow: Callable[[], None]) -> None:
        self._transport = transport
        self._limits = limits
        self._overflow = overflow
        self._loop = asyncio.get_running_loop()
        self._frames: list[bytes] = []
        self._bytes = 0
        self._scheduled = False
        self._writable = asyncio.Event()
        self._writable.set()

    @property
    def frames(self) -> int:
        """How many frames wait."""
        return len(self._frames)

    @property
    def size(self) -> int:
        """How many bytes wait."""
        return self._bytes

    def put(self, data: bytes) -> None:
        """Queue a frame, to be written at the end of this turn, or when the client reads on."""
        self._frames.append(data)
        self._bytes += len(data)
        if self._bytes > self._limits.queue_bytes or len(self._frames) > self._limits.queue_frames:
            self._full()
        elif not self._scheduled and self._writable.is_set():
            self._scheduled = True
            self._loop.call_soon(self._flush_turn)

    def flush(self) -> None:
        """Write what waits, now."""
        if self._frames:
            frames, self._frames, self._bytes = self._frames, [], 0
            self._transport.write(frames[0] if len(frames) == 1 else b"".join(frames))

    def clear(self) -> None:
        """Forget what waits."""
        self._frames, self._bytes = [], 0

    def pause(self) -> None:
        """Hold everything back: the client is not reading."""
        self._writable.clear()

    def resume(self) -> None:
        """Write what has been held back: the client reads on."""
        self._writable.set()
        self.flush()

    async def writable(self) -> None:
        """Wait until the client reads."""
        await self._writable.wait()

    def _flush_turn(self) -> None:
        self._scheduled = False
        if self._writable.is_set():
            self.flush()

    def _full(self) -> None:
        if self._writable.is_set():
            self.flush()  # it reads, this turn just has much to say
        elif len(self._frames) > 1:  # one frame alone may be larger than the whole queue
            self._overflow()
