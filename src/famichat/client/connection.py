"""A socket that is opened again when it is lost, and whose token is refreshed when it has expired."""

import asyncio
from typing import Final

from websockets.exceptions import InvalidStatus, WebSocketException

from famichat.client.backoff import RECONNECT, Backoff
from famichat.client.errors import Refused, Unreachable
from famichat.client.http import Http, may_succeed_later
from famichat.client.phoenix import HEARTBEAT, Socket, socket_url

_FORBIDDEN: Final = 403


class Connection:
    """The current socket of a device. All its conversations share it.

    Args:
        http: provides the access token, and refreshes it.
        heartbeat: seconds between heartbeats.
    """

    def __init__(self, http: Http, heartbeat: float = HEARTBEAT) -> None:
        self._http = http
        self._heartbeat = heartbeat
        self._socket: Socket | None = None
        self._waits = Backoff(RECONNECT)
        self._opening = asyncio.Lock()

    async def socket(self) -> Socket:
        """Return the open socket. Opens a new one if necessary, and tries until it succeeds.

        Raises:
            SignedOut: the session has ended.
        """
        async with self._opening:
            while self._socket is None or self._socket.is_closed:
                await self._wait()
                self._socket = await self._open()
            return self._socket

    async def close(self) -> None:
        """Close the socket."""
        if self._socket is not None:
            await self._socket.close()

    async def _wait(self) -> None:
        """Wait before the next attempt. The first attempt, and the first after a working socket, is made at once."""
        if self._socket is not None:
            if self._socket.was_healthy:
                self._waits.reset()
            self._socket = None
            await asyncio.sleep(self._waits.delay())

    async def _open(self) -> Socket | None:
        """Try once. Returns None after a failure, when the time to wait has passed."""
        try:
            return await Socket.open(
                socket_url(self._http.session.url), self._http.session.access_token, heartbeat=self._heartbeat
            )
        except InvalidStatus as refused:
            if refused.response.status_code == _FORBIDDEN:
                await self._check_session()
            else:
                await asyncio.sleep(self._waits.delay(_retry_after(refused)))
        except (WebSocketException, OSError, TimeoutError):  # the server is away, or restarts
            await asyncio.sleep(self._waits.delay())
        return None

    async def _check_session(self) -> None:
        """Find out why the upgrade was refused: Phoenix gives no reason. A request does, and refreshes the token.

        Raises:
            SignedOut: the session has ended.
        """
        stale, retry_in = self._http.session.access_token, None
        try:
            await self._http.get("/me")
        except (Refused, Unreachable) as fault:
            if not may_succeed_later(fault):
                raise
            retry_in = fault.retry_in if isinstance(fault, Refused) else None
        if self._http.session.access_token == stale:
            await asyncio.sleep(self._waits.delay(retry_in))


def _retry_after(refused: InvalidStatus) -> float | None:
    seconds = refused.response.headers.get("Retry-After", "")
    return float(seconds) if seconds.isascii() and seconds.isdigit() else None
