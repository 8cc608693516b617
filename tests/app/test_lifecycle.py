import asyncio

import pytest

from famichat.app import lifecycle as module
from famichat.app.lifecycle import Lifecycle
from famichat.telemetry.events import BackgroundTaskCrashed, Event


class Flaky:
    """A task that fails on its first runs and cleans up when stopped."""

    def __init__(self, failures: list[Exception], stopped: list[str]) -> None:
        self.failures = failures
        self.stopped = stopped
        self.running = asyncio.Event()

    async def run(self) -> None:
        if self.failures:
            raise self.failures.pop(0)
        self.running.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            self.stopped.append("flaky")


async def test_a_task_that_crashes_is_reported_and_restarted(
    emitted: list[Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FIRST_PAUSE_SECONDS", 0.01)
    flaky = Flaky([KeyError("secret"), ExceptionGroup("several", [ValueError(), OSError()])], [])
    async with asyncio.timeout(5), Lifecycle() as lifecycle:
        lifecycle.start("flaky", flaky.run)
        await flaky.running.wait()

    crashes = [event for event in emitted if isinstance(event, BackgroundTaskCrashed)]
    assert [(crash.task, crash.error_type, crash.restart_seconds) for crash in crashes] == [
        ("flaky", "KeyError", 0.01),
        ("flaky", "ValueError", 0.02),
        ("flaky", "OSError", 0.02),
    ]
    assert crashes[0].where.startswith("test_lifecycle.py:")


async def test_everything_stops_in_the_reverse_order_of_its_start() -> None:
    stopped: list[str] = []
    flaky = Flaky([], stopped)

    async def drain() -> None:
        stopped.append("queue")

    async with asyncio.timeout(5), Lifecycle() as lifecycle:
        lifecycle.on_stop(lambda: stopped.append("database"))
        lifecycle.on_stop_in_thread(lambda: stopped.append("pool"))
        lifecycle.on_stop_await(drain)
        lifecycle.start("flaky", flaky.run)
        await flaky.running.wait()

    assert stopped == ["flaky", "queue", "pool", "database"]


async def test_an_exception_of_the_block_stops_everything_and_is_raised_as_it_is() -> None:
    stopped: list[str] = []
    flaky = Flaky([], stopped)

    async def fail() -> None:
        async with Lifecycle() as lifecycle:
            lifecycle.start("flaky", flaky.run)
            await flaky.running.wait()
            raise FileNotFoundError

    with pytest.raises(FileNotFoundError):
        await fail()

    assert stopped == ["flaky"]


async def test_a_task_that_returns_is_not_restarted(emitted: list[Event]) -> None:
    runs: list[int] = []

    async def run() -> None:
        runs.append(1)

    async with Lifecycle() as lifecycle:
        lifecycle.start("once", run)
        await asyncio.sleep(0.05)

    assert runs == [1]
    assert not any(isinstance(event, BackgroundTaskCrashed) for event in emitted)


async def test_a_cancelled_block_stops_its_tasks() -> None:
    stopped: list[str] = []
    flaky = Flaky([], stopped)

    async def serve() -> None:
        async with Lifecycle() as lifecycle:
            lifecycle.start("flaky", flaky.run)
            await asyncio.Event().wait()

    serving = asyncio.create_task(serve())
    await flaky.running.wait()
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving

    assert stopped == ["flaky"]


async def test_a_killed_task_is_reported_and_restarted_and_still_stops(
    emitted: list[Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FIRST_PAUSE_SECONDS", 0.01)
    stopped: list[str] = []
    flaky = Flaky([], stopped)
    async with asyncio.timeout(5), Lifecycle() as lifecycle:
        lifecycle.start("flaky", flaky.run)
        await flaky.running.wait()
        flaky.running.clear()
        [task] = [task for task in asyncio.all_tasks() if task.get_name() == "flaky"]
        task.cancel()
        await flaky.running.wait()

    assert stopped == ["flaky", "flaky"]
    crashes = [event for event in emitted if isinstance(event, BackgroundTaskCrashed)]
    assert [(crash.task, crash.error_type) for crash in crashes] == [("flaky", "CancelledError")]
