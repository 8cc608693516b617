"""Slots for concurrent requests to push services, shared fairly between users."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

TOTAL = 16
PER_USER = 2


@dataclass(slots=True)
class _OfUser:
    semaphore: asyncio.Semaphore
    users: int = 0


class UserSlots:
    """Limits concurrent requests in total and per user.

    A user whose push services respond slowly fills only the slots of that user, and delays no one else.
    """

    def __init__(self, total: int = TOTAL, per_user: int = PER_USER) -> None:
        self._total = asyncio.Semaphore(total)
        self._per_user = per_user
        self._users: dict[str, _OfUser] = {}

    @asynccontextmanager
    async def hold(self, user_id: str) -> AsyncIterator[None]:
        """Wait for a slot of this user, and hold it for the block."""
        slots = self._users.setdefault(user_id, _OfUser(asyncio.Semaphore(self._per_user)))
        slots.users += 1
        try:
            async with slots.semaphore, self._total:
                yield
        finally:
            slots.users -= 1
            if slots.users == 0:
                del self._users[user_id]
