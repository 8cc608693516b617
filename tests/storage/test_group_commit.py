import asyncio

from famichat.storage.group_commit import GroupCommit
from famichat.telemetry.events import BackgroundTaskCrashed, Event


async def test_everything_that_waits_is_committed_at_once_and_answered_in_order() -> None:
    batches: list[list[int]] = []

    async def write(batch: list[int]) -> list[int | Exception]:
        await asyncio.sleep(0)
        batches.append(batch)
        return [number * 10 for number in batch]

    queue: GroupCommit[int, int] = GroupCommit("numbers", write)
    written: list[int] = []
    futures = [queue.append(number, written.append) for number in range(3)]
    assert queue.depth == 3
    assert await asyncio.gather(*futures) == written == [0, 10, 20]
    assert batches == [[0, 1, 2]]


async def test_a_broadcast_that_fails_does_not_keep_the_others_waiting(emitted: list[Event]) -> None:
    async def write(batch: list[int]) -> list[int | Exception]:
        return list(batch)

    def fail(_: int) -> None:
        raise KeyError

    queue: GroupCommit[int, int] = GroupCommit("numbers", write)
    written: list[int] = []
    async with asyncio.timeout(5):
        futures = [queue.append(1, fail), queue.append(2, written.append)]
        assert await asyncio.gather(*futures) == [1, 2]

    assert written == [2]
    crashes = [event for event in emitted if isinstance(event, BackgroundTaskCrashed)]
    assert [(crash.task, crash.error_type, crash.restart_seconds) for crash in crashes] == [("numbers", "KeyError", 0)]


async def test_closing_commits_queued_writes() -> None:
    async def write(batch: list[int]) -> list[int | Exception]:
        await asyncio.sleep(0.01)
        return list(batch)

    queue: GroupCommit[int, int] = GroupCommit("numbers", write)
    waiting = queue.append(1, lambda _: None)
    await queue.close()
    assert waiting.done()
