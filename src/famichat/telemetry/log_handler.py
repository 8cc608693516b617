"""Writes log records to standard error, and summarizes warnings and errors that repeat.

A client can cause a warning with every request, so a flood of requests would fill the disk and hide everything else.
The first record of a kind is written at once. The others of the same minute are counted, and one more record with the
field `repeated` states how many there were.
"""

import copy
import logging
import sys
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

INTERVAL_SECONDS = 60.0
_MAX_KINDS = 1000

_Kind = tuple[object, ...]


@dataclass(slots=True)
class _Repeats:
    """How often a record was repeated since it was written."""

    record: logging.LogRecord
    written_at: float
    count: int = 0


class SummarizingHandler(logging.StreamHandler[Any]):
    """A handler for standard error that counts repeated warnings and errors instead of writing them.

    Records are of one kind if they have the same logger, level and text, and all their fields that are strings are
    equal. Records below level warning, and those with a traceback, are always written.

    Args:
        interval: seconds for which the repetitions of a record are counted.
    """

    def __init__(self, interval: float = INTERVAL_SECONDS) -> None:
        super().__init__(sys.stderr)
        self._interval = interval
        self._repeats: dict[_Kind, _Repeats] = {}
        self._timer: threading.Timer | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Write or count a record. `logging` calls this with the handler's lock held."""
        if record.levelno < logging.WARNING or record.exc_info:
            super().emit(record)
            return
        kind = _kind(record)
        repeats = self._repeats.get(kind)
        if repeats is not None:
            repeats.count += 1
            return
        if len(self._repeats) >= _MAX_KINDS:
            self._write_repeats(older_than=0)
        self._repeats[kind] = _Repeats(record, time.monotonic())
        super().emit(record)
        self._start_timer()

    def close(self) -> None:
        """Write how often records were repeated, and close the handler."""
        self.acquire()
        try:
            self._write_repeats(older_than=0)
            if self._timer is not None:
                self._timer.cancel()
        finally:
            self.release()
        super().close()

    def _start_timer(self) -> None:
        if self._timer is None:
            self._timer = threading.Timer(self._interval, self._on_timer)
            self._timer.daemon = True
            self._timer.start()

    def _on_timer(self) -> None:
        self.acquire()
        try:
            self._timer = None
            self._write_repeats(older_than=self._interval)
            if self._repeats:
                self._start_timer()
        finally:
            self.release()

    def _write_repeats(self, older_than: float) -> None:
        due = time.monotonic() - older_than
        for kind, repeats in list(self._repeats.items()):
            if repeats.written_at <= due:
                del self._repeats[kind]
                if repeats.count:
                    super().emit(_summary(repeats))


def _kind(record: logging.LogRecord) -> _Kind:
    fields = record.msg
    if not isinstance(fields, dict):  # a record of a library
        return record.name, record.levelno, str(fields)
    compared = ((key, value) for key, value in fields.items() if key != "timestamp")
    return record.name, record.levelno, *((key, value) for key, value in compared if isinstance(value, str | None))


def _summary(repeats: _Repeats) -> logging.LogRecord:
    record = copy.copy(repeats.record)
    if isinstance(record.msg, dict):
        written_at = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        record.msg = {**record.msg, "timestamp": written_at, "repeated": repeats.count}
    else:
        record.msg, record.args = f"{record.getMessage()} (repeated {repeats.count} times)", None
    return record
