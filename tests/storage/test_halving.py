"""Halving isolates the items that fail, in order and with few attempts."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from famichat.storage import halving
from famichat.storage.errors import StorageUnavailable, StorageUnreachable
from famichat.storage.halving import in_halves, without_failures
from famichat.telemetry.events import BackgroundTaskCrashed, Event


class Work:
    """Fails for batches that contain a bad number or are too long."""

    def __init__(self, bad: set[int], longest: int = 1000, error: type[Exception] = ValueError) -> None:
        self.bad = bad
        self.longest = longest
        self.error = error
        self.attempts = 0

    async def __call__(self, numbers: Sequence[int]) -> list[int]:
        self.attempts += 1
        if self.bad & set(numbers) or len(numbers) > self.longest:
            raise self.error
        return [number * 10 for number in numbers]


@given(st.sets(st.integers(0, 99)), st.integers(0, 100), st.integers(1, 100))
async def test_exactly_the_bad_items_fail_and_the_order_is_kept(bad: set[int], count: int, longest: int) -> None:
    parts = [part async for part in in_halves(range(count), Work(bad, longest))]

    assert [number for part in parts for number in part.items] == list(range(count))
    failed = {number for part in parts if isinstance(part.result, Exception) for number in part.items}
    assert failed == bad & set(range(count))


async def test_one_bad_item_among_500_takes_few_attempts() -> None:
    work = Work({333})
    parts = [part async for part in in_halves(range(500), work)]

    assert [list(part.items) for part in parts if isinstance(part.result, Exception)] == [[333]]
    assert work.attempts <= 20


async def test_a_single_item_is_tried_twice_because_its_first_attempt_may_have_been_stored() -> None:
    work = Work({1})
    [part] = [part async for part in in_halves([1], work)]

    assert (work.attempts, type(part.result)) == (2, ValueError)


async def test_an_unreachable_database_is_tried_once() -> None:
    work = Work({1}, error=StorageUnreachable)
    parts = [part async for part in in_halves(range(500), work)]

    assert work.attempts == 1
    assert all(isinstance(part.result, StorageUnreachable) for part in parts)


async def test_halving_ends_when_its_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(halving, "HALVING_SECONDS", -1.0)
    work = Work({1})
    [part] = [part async for part in in_halves(range(500), work)]

    assert (work.attempts, type(part.result)) == (1, ValueError)


async def test_failures_are_reported_and_left_out(emitted: list[Event]) -> None:
    parts = [(list(items), result) async for items, result in without_failures("round", range(4), Work({1}))]
    unavailable = [part async for part in without_failures("round", range(4), Work({1}, error=StorageUnavailable))]

    assert parts == [([0], [0]), ([2, 3], [20, 30])]
    assert len(unavailable) == 2
    crashes = [event for event in emitted if isinstance(event, BackgroundTaskCrashed)]
    assert [(crash.task, crash.error_type) for crash in crashes] == [("round", "ValueError")]
