import pytest

from famichat.realtime import events
from famichat.realtime.events import BrokerFailed, RealtimeEvent


def test_a_handler_that_raises_is_logged_and_harms_no_one(caplog: pytest.LogCaptureFixture) -> None:
    seen: list[RealtimeEvent] = []

    def fail(_: RealtimeEvent) -> None:
        raise ValueError

    unsubscribe = [events.subscribe(fail), events.subscribe(seen.append)]
    events.emit(BrokerFailed(error_type="OSError"))
    for each in unsubscribe:
        each()
    events.emit(BrokerFailed(error_type="TimeoutError"))

    assert seen == [BrokerFailed(error_type="OSError")]
    assert len([record for record in caplog.records if record.exc_info]) == 1
