"""Reports the state of the server to a service manager such as systemd, by the protocol of sd_notify(3).

The manager names a datagram socket in `NOTIFY_SOCKET`, and how often it wants to hear from the event loop in
`WATCHDOG_USEC`. Without these variables, nothing is sent.
"""

import asyncio
import os
import socket
from collections.abc import Mapping
from contextlib import suppress
from typing import Self

_MICROSECONDS = 1_000_000


class ServiceManager:
    """The program that started this server, if it wants to know its state.

    Args:
        address: of its datagram socket; None if there is no such program.
        watchdog_seconds: it kills a server that it does not hear from for so long; None if it does not.
    """

    def __init__(self, address: str | None, watchdog_seconds: float | None) -> None:
        self._address = address
        self._watchdog_seconds = watchdog_seconds

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Self:
        """Read the variables that it sets for this process."""
        given = environment.get("NOTIFY_SOCKET", "")
        address = f"\0{given[1:]}" if given.startswith("@") else given  # an abstract socket (unix(7))
        is_watched = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        interval = environment.get("WATCHDOG_USEC", "") if is_watched else ""
        return cls(address or None, int(interval) / _MICROSECONDS if interval.isdecimal() else None)

    def ready(self, status: str) -> None:
        """Report that clients can connect, with a sentence for `systemctl status`."""
        self._send(f"READY=1\nSTATUS={status}")

    def stopping(self) -> None:
        """Report that the server has begun to stop."""
        self._send("STOPPING=1")

    async def watch(self) -> None:
        """Prove that the event loop runs, twice per interval, until cancelled."""
        while self._address is not None and self._watchdog_seconds is not None:
            self._send("WATCHDOG=1")
            await asyncio.sleep(self._watchdog_seconds / 2)

    def _send(self, state: str) -> None:
        if self._address is None:
            return
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.settimeout(0)  # a manager that does not read must not stop the event loop
            sender.sendto(state.encode(), self._address)
