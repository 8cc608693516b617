"""Runs background services in a test, as a server does."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

from famichat.app.lifecycle import Lifecycle


class BackgroundService(Protocol):
    async def run(self) -> None: ...


@asynccontextmanager
async def running(*services: BackgroundService) -> AsyncIterator[None]:
    """Run services until the block ends; stop them in reverse order."""
    async with Lifecycle() as lifecycle:
        for service in services:
            lifecycle.start(type(service).__name__, service.run)
        await asyncio.sleep(0)  # a task that is cancelled before it begins cleans up nothing
        yield
