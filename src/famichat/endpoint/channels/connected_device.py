"""The device behind one socket, and whether its user is looking at the app."""

import time
from collections.abc import Callable, Mapping
from typing import Any

from famichat.accounts.sign_in.token import Identity
from famichat.chat.errors import InvalidMessage
from famichat.endpoint.channels.collected_heads import CollectedHeads

REPORT_EXPIRY_SECONDS = 45.0
"""Clients report every 30 seconds. A device that stays silent for longer counts as being in the background."""


class ConnectedDevice:
    """One connection of a device.

    The state belongs to the connection, not to the device: of two tabs, only the visible one acknowledges in the
    foreground.

    Args:
        identity: the user and the device.
        clock: returns seconds that never go back.

    Attributes:
        heads: sends the positions of conversations, if the client wants them in one frame.
    """

    def __init__(self, identity: Identity, clock: Callable[[], float] = time.monotonic) -> None:
        self.identity = identity
        self._clock = clock
        self._reports = False
        self._foreground_until = 0.0
        self.heads: CollectedHeads | None = None

    def report(self, payload: Mapping[str, Any]) -> None:
        """Record a report of the client: an `attention` payload.

        Raises:
            InvalidMessage: `foreground` is not a boolean.
        """
        foreground = payload.get("foreground")
        if not isinstance(foreground, bool):
            raise InvalidMessage(field="foreground")
        self._reports = True
        self._foreground_until = self._clock() + REPORT_EXPIRY_SECONDS if foreground else 0.0

    @property
    def attentive(self) -> bool:
        """Whether an acknowledgement makes a notification unnecessary.

        True while the app is in the foreground, and for clients that never report, such as bots.
        """
        return not self._reports or self._clock() < self._foreground_until
