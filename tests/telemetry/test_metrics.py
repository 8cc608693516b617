import re
from importlib.metadata import version

from famichat.telemetry import events
from famichat.telemetry.metrics import Metrics


def test_events_are_counted_by_name_and_refusals_by_code() -> None:
    metrics = Metrics()

    metrics.record(events.AuthorizationDenied(door="socket", reason="invalid_token"))
    metrics.record(events.RequestRefused(door="socket", reason="invalid_token"))
    metrics.record(events.ConnectionRefused(transport="websocket", reason="application"))
    metrics.record(events.ConnectionRefused(transport="websocket", reason="origin"))
    metrics.record(events.RateLimitThrottled(limit="send", retry_in_seconds=1))
    metrics.record(events.RequestRefused(door="channel", reason="rate_limited"))
    metrics.record(events.TransactionRetried(attempt=1))
    text = metrics.render().decode()

    assert 'famichat_events_total{name="famichat.authorization.denied"} 1.0' in text
    assert 'famichat_events_total{name="famichat.storage.transaction_retried"} 1.0' in text
    assert 'famichat_refusals_total{reason="invalid_token"} 1.0' in text
    assert 'famichat_refusals_total{reason="rate_limited"} 1.0' in text
    assert 'famichat_refusals_total{reason="origin"} 1.0' in text
    assert "application" not in text


def test_the_version_and_the_process_are_reported() -> None:
    text = Metrics().render().decode()

    assert f'famichat_build_info{{version="{version("famichat")}"}} 1.0' in text
    assert re.search(r"^process_cpu_seconds_total \d", text, re.MULTILINE)
    assert re.search(r"^process_resident_memory_bytes [1-9]", text, re.MULTILINE)


def test_times_and_batches_are_histograms() -> None:
    metrics = Metrics()

    metrics.record(
        events.MessageChannelJoined(
            conversation_type="self",
            encryption_status="disabled",
            user_id="u",
            conversation_id="c",
            replayed=0,
            recovered=True,
            duration_seconds=0.003,
        )
    )
    metrics.record(events.MessageSent(conversation_type="self", body_bytes=1, store_seconds=0.003, repeat=False))
    metrics.record(
        events.MessageBroadcast(
            conversation_type="self",
            conversation_id="c",
            broadcast_event="new_msg",
            payload_bytes=1,
            since_receipt_seconds=0.3,
        )
    )
    metrics.record(events.JournalBatchWritten(messages=40, duration_seconds=0.01))
    text = metrics.render().decode()

    assert 'famichat_join_seconds_bucket{le="0.005"} 1.0' in text
    assert "famichat_message_store_seconds_count 1.0" in text
    assert 'famichat_broadcast_seconds_bucket{le="0.2"} 0.0' in text
    assert 'famichat_journal_batch_messages_bucket{le="50.0"} 1.0' in text


def test_a_gauge_is_read_at_each_scrape() -> None:
    metrics, connections = Metrics(), [1]
    metrics.gauge("famichat_connections", "Open connections", lambda: connections[0])
    connections[0] = 7

    assert b"famichat_connections 7.0" in metrics.render()


def test_no_metric_has_an_id_as_a_label() -> None:
    metrics = Metrics()
    metrics.record(
        events.MessageAcknowledged(
            conversation_id="c-17",
            user_id="u-17",
            device_id="d-17",
            status="read",
            seq=1,
            moved=True,
            duration_seconds=0.003,
        )
    )

    text = metrics.render()
    assert b'famichat_ack_seconds_bucket{le="0.005"} 1.0' in text
    assert b"-17" not in text
