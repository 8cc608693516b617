"""The write queue: group commit, isolation of items that fail, and recovery."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from famichat.storage.errors import StorageUnavailable, StorageUnreachable
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


class Table:
    """Stores numbers in all-or-nothing batches. It refuses some, and batches of more than `room`."""

    def __init__(self, refused: set[int], room: int, error: type[Exception]) -> None:
        self.refused = refused
        self.room = room
        self.error = error
        self.rows: list[int] = []

    async def write(self, batch: list[int]) -> list[int | Exception]:
        await asyncio.sleep(0)
        if self.refused & set(batch) or len(batch) > self.room:
            raise self.error
        self.rows += batch
        return list(batch)


@given(
    numbers=st.lists(st.integers(0, 30), max_size=60),
    refused=st.sets(st.integers(0, 30)),
    silent=st.sets(st.integers(0, 30)),
    cancelled=st.sets(st.integers(0, 59)),
    room=st.integers(1, 20),
    error=st.sampled_from([ValueError, StorageUnavailable]),
)
async def test_each_item_is_stored_announced_and_answered_independently_of_the_others(
    numbers: list[int],
    refused: set[int],
    silent: set[int],
    cancelled: set[int],
    room: int,
    error: type[Exception],
) -> None:
    def announce(number: int) -> None:
        announced.append(number)
        if number in silent:
            raise KeyError

    announced: list[int] = []
    table = Table(refused, room, error)
    queue: GroupCommit[int, int] = GroupCommit("numbers", table.write)
    futures = [queue.append(number, announce) for number in numbers]
    for index in cancelled & set(range(len(futures))):
        futures[index].cancel()
    answers = await asyncio.wait_for(asyncio.gather(*futures, return_exceptions=True), 5)
    await queue.close()

    assert table.rows == announced == [number for number in numbers if number not in refused]
    for index, (number, answer) in enumerate(zip(numbers, answers, strict=True)):
        expected = asyncio.CancelledError if index in cancelled else error if number in refused else int
        assert isinstance(answer, expected)


async def test_batches_start_small_after_a_failure_and_grow_again() -> None:
    sizes: list[int] = []

    async def write(batch: list[int]) -> list[int | Exception]:
        sizes.append(len(batch))
        if len(sizes) == 1:
            raise StorageUnreachable
        return list(batch)

    queue: GroupCommit[int, int] = GroupCommit("numbers", write)
    failing = [queue.append(number, lambda _: None) for number in range(8)]
    await asyncio.gather(*failing, return_exceptions=True)
    await asyncio.gather(*[queue.append(number, lambda _: None) for number in range(20)])

    assert sizes == [8, 4, 8, 8]


async def test_a_killed_queue_answers_its_callers_and_continues_with_the_next_item() -> None:
    started = asyncio.Event()

    async def write(batch: list[int]) -> list[int | Exception]:
        started.set()
        if 1 in batch:
            await asyncio.Event().wait()
        return list(batch)

    queue: GroupCommit[int, int] = GroupCommit("numbers", write)
    first = queue.append(1, lambda _: None)
    await started.wait()
    second = queue.append(2, lambda _: None)
    [task] = [task for task in asyncio.all_tasks() if task.get_name() == "numbers"]
    task.cancel()
    answers = await asyncio.gather(first, second, return_exceptions=True)

    assert [type(answer) for answer in answers] == [StorageUnavailable, StorageUnavailable]
    assert await queue.append(3, lambda _: None) == 3
