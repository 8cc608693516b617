"""Supervises the background tasks of a process, and closes its resources in a defined order.

Policy: no background task may end the process, because chat works without any of them: a sweep or a key rotation that
fails must not disconnect a family. A task that raises is reported (`famichat.process.task_crashed`, level error, and
the counter of the same name in the metrics) and restarted after a pause, which doubles from 1 to 60 seconds while it
keeps failing. Operators alert on the event; docs/telemetry.md lists it.

The write queues (`storage.group_commit`) are not supervised here. Each commits in a separate task, which exists only
while something is queued, hands every failure to the caller that waits for it, and is drained by `close`.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any, Self

from famichat.telemetry.crash import report_crash

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 1.0, 60.0


class Lifecycle:
    """Starts background tasks in one task group; at the end of the block it stops them and closes resources.

        async with Lifecycle() as lifecycle:
            database = Database(url)
            lifecycle.on_stop(database.close)
            lifecycle.start("sweep", Sweep(database, files).run)

    Leaving the block undoes everything in reverse order, one step at a time. So register a resource before the tasks
    that use it: the broker before the write queues, whose last broadcasts it still carries; the queues before the
    tasks that fill them. A task is stopped by cancellation, and may clean up before it ends; one that is cancelled
    before its first step has nothing to clean up.

    An exception of the block itself is raised as it is, not in an exception group.
    """

    def __init__(self) -> None:
        self._stack = AsyncExitStack()
        self._tasks = asyncio.TaskGroup()

    async def __aenter__(self) -> Self:
        await self._tasks.__aenter__()
        # Registered first, so that it runs last. It gets no exception of the block: it would wrap it in a group.
        self._stack.push_async_callback(self._tasks.__aexit__, None, None, None)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._stack.__aexit__(kind, error, traceback)

    def start(self, name: str, run: Callable[[], Awaitable[None]]) -> None:
        """Run a background task until the block ends, and restart it if it raises.

        Args:
            name: identifies the task in events and in asyncio's debug output.
            run: runs until it is cancelled. If it returns, the task is done and is not restarted. If it is cancelled by
                anything but the end of the block, it is restarted.
        """
        stopping = asyncio.Event()
        task = self._tasks.create_task(_supervise(name, run, stopping), name=name)
        self._stack.push_async_callback(_stop, task, stopping)

    def on_stop(self, close: Callable[[], object]) -> None:
        """Call a function that does not block when the block ends."""
        self._stack.callback(close)

    def on_stop_await(self, close: Callable[[], Awaitable[None]]) -> None:
        """Await a coroutine function when the block ends."""
        self._stack.push_async_callback(close)

    def on_stop_in_thread(self, close: Callable[[], object]) -> None:
        """Call a blocking function in a thread when the block ends, and wait for it."""
        self._stack.push_async_callback(asyncio.to_thread, close)


async def _supervise(name: str, run: Callable[[], Awaitable[None]], stopping: asyncio.Event) -> None:
    pause, loop = FIRST_PAUSE_SECONDS, asyncio.get_running_loop()
    while True:
        started_at = loop.time()
        try:
            await run()
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if stopping.is_set() or task is None:
                raise
            # Only `_stop` ends the task. Any other cancellation is a bug, for example one that leaked out of a library.
            task.uncancel()
            report_crash(name, error, pause)
        except Exception as error:  # noqa: BLE001 - any bug; see the policy at the top
            report_crash(name, error, pause)
        else:
            return
        if loop.time() - started_at > LONGEST_PAUSE_SECONDS:
            pause = FIRST_PAUSE_SECONDS
        await asyncio.sleep(pause)
        pause = min(pause * 2, LONGEST_PAUSE_SECONDS)


async def _stop(task: asyncio.Task[Any], stopping: asyncio.Event) -> None:
    stopping.set()
    task.cancel()
    await asyncio.wait({task})
