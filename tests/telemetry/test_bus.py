import logging

import pytest

from famichat.telemetry import attach, emit, events
from famichat.telemetry.events import Event

EVENT = events.RateLimitThrottled(limit="send", retry_in_seconds=1.5)


def test_every_handler_receives_an_event_until_it_is_detached() -> None:
    one: list[Event] = []
    other: list[Event] = []
    detach_one, detach_other = attach(one.append), attach(other.append)

    emit(EVENT)
    detach_one()
    emit(EVENT)
    detach_other()

    assert one == [EVENT]
    assert other == [EVENT, EVENT]


def test_a_handler_that_fails_is_detached_and_costs_the_others_nothing(
    emitted: list[Event], caplog: pytest.LogCaptureFixture
) -> None:
    calls = []

    def fail(event: Event) -> None:
        calls.append(event)
        raise RuntimeError("full disk")

    attach(fail)
    with caplog.at_level(logging.ERROR):
        emit(EVENT)
        emit(EVENT)

    assert calls == [EVENT]
    assert emitted == [EVENT, EVENT]
    assert "detached" in caplog.text
