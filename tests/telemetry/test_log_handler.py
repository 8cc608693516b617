import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from famichat.telemetry import events
from famichat.telemetry.log import configure_logging, log_event
from famichat.telemetry.log_handler import SummarizingHandler

DENIED = events.AuthorizationDenied(door="GET /api/v1/me", reason="invalid_token")


@pytest.fixture(autouse=True)
def restore_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers, root.level = handlers, level
    logging.getLogger("famichat").setLevel(logging.NOTSET)


class Log:
    def __init__(self) -> None:
        [handler] = logging.getLogger().handlers
        assert isinstance(handler, SummarizingHandler)
        self.handler = handler
        self._stream = io.StringIO()
        handler.setStream(self._stream)

    def records(self) -> list[dict[str, Any]]:
        """The records since the last call."""
        lines = self._stream.getvalue().splitlines()
        self._stream.seek(0)
        self._stream.truncate()
        return [json.loads(line) for line in lines]


@pytest.fixture
def log() -> Iterator[Log]:
    configure_logging("INFO", "json")
    log = Log()
    yield log
    log.handler.close()


def test_repeated_warnings_are_one_record_and_one_summary(log: Log) -> None:
    for _ in range(300):
        log_event(DENIED)
    [first] = log.records()
    log.handler.close()
    [summary] = log.records()

    assert (first["event"], first["door"]) == ("famichat.authorization.denied", "GET /api/v1/me")
    assert summary == first | {"timestamp": summary["timestamp"], "repeated": 299}


def test_the_summary_follows_after_the_interval(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr("famichat.telemetry.log_handler.time.monotonic", lambda: clock[0])
    log_event(DENIED)
    log_event(DENIED)
    log.records()
    clock[0] = 60.0
    log.handler._on_timer()
    [summary] = log.records()
    log_event(DENIED)
    [again] = log.records()

    assert summary["repeated"] == 1
    assert "repeated" not in again


def test_records_of_other_users_and_reasons_are_not_summarized(log: Log) -> None:
    for user_id in ("a", "b", None):
        log_event(events.AuthorizationDenied(door="socket", reason="invalid_token", user_id=user_id))
    log_event(events.AuthorizationDenied(door="socket", reason="not_found"))

    assert len(log.records()) == 4


def test_fields_that_are_numbers_do_not_make_another_kind(log: Log) -> None:
    for wait in range(5):
        log_event(events.RateLimitThrottled(limit="sign_in", retry_in_seconds=wait))

    assert len(log.records()) == 1


def test_warnings_of_libraries_are_summarized(log: Log) -> None:
    for _ in range(3):
        logging.getLogger("uvicorn.error").warning("Invalid HTTP request received.")
    log.handler.close()

    assert [record["event"] for record in log.records()] == [
        "Invalid HTTP request received.",
        "Invalid HTTP request received. (repeated 2 times)",
    ]


def test_events_at_level_info_and_tracebacks_are_always_written(log: Log) -> None:
    for _ in range(3):
        log_event(events.InviteCreated(family_id="f", invite_id="i", role="member", created_by_id="u"))
        logging.getLogger("famichat.x").error("failed", exc_info=ValueError())

    assert len(log.records()) == 6


def test_the_number_of_kinds_is_bounded(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("famichat.telemetry.log_handler._MAX_KINDS", 2)
    for number in range(5):
        log_event(events.AuthorizationDenied(door="socket", reason="not_found", user_id=str(number)))

    assert len(log.handler._repeats) <= 2
