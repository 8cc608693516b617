import dataclasses

from famichat.app.realtime_telemetry import TELEMETRY_EVENTS, forward_realtime_events
from famichat.realtime import events as realtime
from famichat.realtime.events import RealtimeEvent
from famichat.telemetry.events import BrokerNoteIgnored, Event


def test_every_event_is_forwarded_with_all_its_fields() -> None:
    declared = {kind for kind in vars(realtime).values() if isinstance(kind, type) and issubclass(kind, RealtimeEvent)}
    assert set(TELEMETRY_EVENTS) == declared - {RealtimeEvent}
    for source, target in TELEMETRY_EVENTS.items():
        assert [field.name for field in dataclasses.fields(source)] == [
            field.name for field in dataclasses.fields(target)
        ], source


def test_forwarding_can_be_ended(emitted: list[Event]) -> None:
    ignored = realtime.BrokerMessageIgnored(reason="invalid", error_type="KeyError")
    realtime.emit(ignored)  # a fixture of all tests forwards it, too
    stop = forward_realtime_events()
    realtime.emit(ignored)
    stop()
    realtime.emit(ignored)

    assert emitted == [BrokerNoteIgnored(reason="invalid", error_type="KeyError")] * 4
