import pytest
from hypothesis import given
from hypothesis import strategies as st

from famichat.endpoint import rate_limit
from famichat.endpoint.rate_limit import LIMITS, RateLimited, RateLimits
from famichat.telemetry.events import Event, RateLimitThrottled


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def use_up(limits: RateLimits, key: str) -> int:
    """Knock until refused; how often that went well."""
    for count in range(10_000):
        try:
            limits.check("send", key)
        except RateLimited:
            return count
    raise AssertionError("never refused")


def test_a_burst_passes_and_the_next_is_told_when_to_come_back(emitted: list[Event]) -> None:
    limits = RateLimits(enabled=True, clock=Clock())

    assert use_up(limits, "d") == LIMITS["send"].burst
    with pytest.raises(RateLimited) as raised:
        limits.check("send", "d")

    assert raised.value.details == {"retry_in_ms": 100}
    assert emitted == [RateLimitThrottled(limit="send", retry_in_seconds=0.1)] * 2


def test_one_device_does_not_use_up_what_another_may() -> None:
    limits = RateLimits(enabled=True, clock=Clock())

    assert use_up(limits, "a") == use_up(limits, "b")


@given(st.floats(0.2, 5.0))
def test_after_the_time_it_was_told_a_device_may_again(seconds: float) -> None:
    clock = Clock()
    limits = RateLimits(enabled=True, clock=clock)
    use_up(limits, "d")

    clock.now += seconds

    assert use_up(limits, "d") == pytest.approx(seconds * LIMITS["send"].per_second, abs=1)


def test_switched_off_everything_passes() -> None:
    limits = RateLimits(enabled=False, clock=Clock())

    for _ in range(1000):
        limits.check("send", "d")


def test_memory_does_not_grow_with_the_number_of_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limit, "_FORGET_AFTER", 100)
    clock = Clock()
    limits = RateLimits(enabled=True, clock=clock)

    for device in range(1000):
        clock.now += 1
        limits.check("send", str(device))

    assert len(limits._buckets) <= 101
