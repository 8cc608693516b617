"""The session of a long-polling client: the transport of its connection, which queues frames between polls."""

import asyncio
import contextlib
import secrets

from famichat.realtime.events import OutboxOverflowed, emit
from famichat.realtime.serializer import Encoded
from famichat.realtime.transport.byte_budget import HeldBytes
from famichat.realtime.transport.connection import INTERNAL_ERROR, SLOW_CONSUMER
from famichat.realtime.transport.endpoint import Admitted, Endpoint
from famichat.realtime.transport.outbox import UNCOUNTED_BYTES

SESSION_PREFIX = "phx-longpoll."
"""How the token of a session begins."""
OK, STUCK, GONE = 200, 408, 410
"""Statuses of a frame: accepted; the server accepts no frames now; the session has ended."""


class LongPollSession:
    """The session of one client: the transport of its connection, which queues frames between polls."""

    name = "longpoll"
    carries_binary = False

    def __init__(
        self, sessions: dict[str, "LongPollSession"], endpoint: Endpoint, admitted: Admitted, node: str
    ) -> None:
        self.token = f"{SESSION_PREFIX}{node}.{secrets.token_urlsafe(32)}"
        self._sessions = sessions
        self._limits = endpoint.limits
        self._waiting: list[bytes] = []
        self._size = 0
        self._held = HeldBytes(endpoint.byte_budget, admitted.address)
        self._check_at = min(UNCOUNTED_BYTES, self._limits.queue_bytes)
        self._frames_ready = asyncio.Event()
        self._receiving = asyncio.Event()
        self._receiving.set()
        self._fetched = asyncio.Event()
        self._polls = 0
        self._open = True
        self._pace = admitted.pace
        self.client = admitted.client
        self._timer: asyncio.TimerHandle | None = None
        sessions[self.token] = self
        self._connection = endpoint.open(admitted, self)
        self._expect_poll()

    # Called for requests of the client

    async def poll(self) -> list[bytes] | None:
        """Wait for frames, for one window at most.

        Returns:
            the queued frames; empty after a window without frames, or if a newer poll replaced this one; None if the
            session has ended.
        """
        self._polls += 1
        poll = self._polls
        if self._timer is not None:
            self._timer.cancel()
        self._frames_ready.set()  # wake an older poll, which then returns without frames
        await asyncio.sleep(0)
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._limits.longpoll_window):
                    while self._open and not self._waiting and poll == self._polls:
                        self._frames_ready.clear()
                        await self._frames_ready.wait()
        finally:
            self._expect_poll()
        if not self._open:
            return None
        return self._take() if poll == self._polls else []

    async def receive(self, data: bytes, *, binary: bool) -> int:
        """Pass one frame to the connection when it accepts frames; return the status for the client."""
        try:
            async with asyncio.timeout(self._limits.longpoll_window):
                while (wait := self._pace(len(data))) > 0:  # noqa: ASYNC110 - other connections may use up the tokens
                    await asyncio.sleep(wait)
                await self._receiving.wait()
        except TimeoutError:
            return STUCK
        if self._open:
            self._connection.receive(data, binary=binary)
        return OK if self._open else GONE

    def refuse(self) -> None:
        """End the session of a client that sent a malformed request."""
        self._connection.close(INTERNAL_ERROR)

    # Called by the connection

    def send(self, frame: Encoded) -> None:
        """Queue a frame for the next poll."""
        self._waiting.append(frame.data)
        self._size += len(frame.data)
        self._frames_ready.set()
        self._fetched.clear()
        if self._size > self._check_at or len(self._waiting) > self._limits.queue_frames:
            self._check()

    def close(self, code: int, reason: str) -> None:
        """End the session; the client gets 410 at its next poll."""
        self._open = False
        self._take()
        self._sessions.pop(self.token, None)
        for event in (self._frames_ready, self._receiving):
            event.set()
        if self._timer is not None:
            self._timer.cancel()

    def pause_receiving(self) -> None:
        """Let POST requests wait, for back-pressure."""
        self._receiving.clear()

    def resume_receiving(self) -> None:
        """Accept POST requests again."""
        self._receiving.set()

    async def writable(self) -> None:
        """Wait while more than half of the queue's byte limit is queued."""
        while self._open and self._size > self._limits.queue_bytes // 2:
            await self._fetched.wait()

    # Inside

    def _check(self) -> None:
        """Count the queue, and end the session if it is too large for this client or for all of them."""
        self._check_at = min(self._size + UNCOUNTED_BYTES, self._limits.queue_bytes)
        full = self._size > self._limits.queue_bytes or len(self._waiting) > self._limits.queue_frames
        # One frame alone may be larger than the whole queue.
        if not self._held.count(max(0, self._size - UNCOUNTED_BYTES)) or (full and len(self._waiting) > 1):
            emit(OutboxOverflowed(queued_frames=len(self._waiting), queued_bytes=self._size))
            self._connection.close(SLOW_CONSUMER)

    def _take(self) -> list[bytes]:
        taken, self._waiting, self._size = self._waiting, [], 0
        self._held.count(0)
        self._check_at = min(UNCOUNTED_BYTES, self._limits.queue_bytes)
        self._fetched.set()
        return taken

    def _expect_poll(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._open:
            patience = 1.5 * self._limits.longpoll_window
            self._timer = asyncio.get_running_loop().call_later(patience, self._expire)

    def _expire(self) -> None:
        self._connection.lost()
        self.close(0, "no poll")
