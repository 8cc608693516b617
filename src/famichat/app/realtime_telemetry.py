"""Forwards the events of `famichat.realtime`, which knows nothing of the application, to telemetry."""

import dataclasses
from collections.abc import Callable

from famichat.realtime import events as realtime
from famichat.telemetry import emit, events

TELEMETRY_EVENTS: dict[type[realtime.RealtimeEvent], type[events.Event]] = {
    realtime.SocketConnected: events.ConnectionOpened,
    realtime.SocketDisconnected: events.ConnectionClosed,
    realtime.ConnectRefused: events.ConnectionRefused,
    realtime.OutboxOverflowed: events.SlowConsumerClosed,
    realtime.ChannelFailed: events.ChannelCrashed,
    realtime.FrameRejected: events.MalformedFrameReceived,
    realtime.BinaryDropped: events.BinaryFrameDropped,
    realtime.LongPollMisrouted: events.LongPollWithoutAffinity,
    realtime.BrokerFailed: events.BrokerUnreachable,
    realtime.BrokerMessageIgnored: events.BrokerNoteIgnored,
}
"""Each event of `realtime`, and the telemetry event with the same fields."""


def forward_realtime_events() -> Callable[[], None]:
    """Emit a telemetry event for each event of `realtime`; returns a function that ends this."""
    return realtime.subscribe(_forward)


def _forward(event: realtime.RealtimeEvent) -> None:
    fields = {field.name: getattr(event, field.name) for field in dataclasses.fields(event)}
    emit(TELEMETRY_EVENTS[type(event)](**fields))
