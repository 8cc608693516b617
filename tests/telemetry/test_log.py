import json
import logging
from collections.abc import Iterator

import pytest

from famichat.telemetry import events
from famichat.telemetry.log import configure_logging, log_event


@pytest.fixture(autouse=True)
def restore_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers, root.level = handlers, level
    logging.getLogger("famichat").setLevel(logging.NOTSET)


def test_an_event_is_one_line_of_json_with_its_fields(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("INFO", "json")

    log_event(events.RateLimitThrottled(limit="send", retry_in_seconds=1.5))

    record = json.loads(capsys.readouterr().err)
    del record["timestamp"]
    assert record == {
        "event": "famichat.rate_limit.throttled",
        "level": "warning",
        "limit": "send",
        "retry_in_seconds": 1.5,
    }


def test_a_name_with_line_breaks_and_colours_stays_one_record(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("INFO", "json")

    log_event(events.RateLimitThrottled(limit='x\r\n{"event": "forged"}\x1b[31m', retry_in_seconds=0))

    assert len(capsys.readouterr().err.splitlines()) == 1


def test_records_below_the_level_are_not_written(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("INFO", "json")

    log_event(events.TransactionRetried(attempt=1))
    logging.getLogger("uvicorn.access").info("GET /socket/websocket?token=SECRET")

    assert capsys.readouterr().err == ""


def test_a_broadcast_record_contains_the_event_name(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("DEBUG", "json")

    log_event(
        events.MessageBroadcast(
            conversation_type="direct",
            conversation_id="c",
            broadcast_event="new_msg",
            payload_bytes=2,
            since_receipt_seconds=0.1,
        )
    )

    record = json.loads(capsys.readouterr().err)
    assert (record["event"], record["broadcast_event"]) == ("famichat.message_channel.broadcast", "new_msg")


@pytest.mark.parametrize("event", [events.MessageSent, events.MessageBroadcast, events.MessageAcknowledged])
def test_a_message_writes_no_log_line_at_level_info(event: type[events.Event]) -> None:
    assert event.level == "debug"


def test_people_can_read_the_console_format(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("INFO", "console")

    log_event(events.RateLimitThrottled(limit="send", retry_in_seconds=1.5))

    assert "famichat.rate_limit.throttled" in capsys.readouterr().err
