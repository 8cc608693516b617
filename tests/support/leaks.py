"""Watches all that this process logs or emits, during every test, for the secrets that all tests share.

It looks at records as they are made, so that no handler that a test changes hides one.
"""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager

from famichat.telemetry import attach
from famichat.telemetry.events import Event
from tests.factories.people import PASSWORD, PASSWORD_HASH, SECRET

SECRETS = (PASSWORD, PASSWORD_HASH, SECRET, "@example.org")


@contextmanager
def watched(secrets: tuple[str, ...] = SECRETS) -> Iterator[list[str]]:
    """Watch for as long as the block runs; gives the tests in which something was told, and by whom."""
    leaks: list[str] = []
    make = logging.getLogRecordFactory()

    def look(text: str, teller: str) -> None:
        if any(secret in text for secret in secrets):
            leaks.append(f"{teller}, in {os.environ.get('PYTEST_CURRENT_TEST')}")

    def make_and_look(*args: object, **named: object) -> logging.LogRecord:
        record: logging.LogRecord = make(*args, **named)
        fault = record.exc_info[1] if record.exc_info else None
        look(f"{record.msg} {record.args} {fault}", record.name)
        return record

    def look_at(event: Event) -> None:
        look(str(event), event.name)

    logging.setLogRecordFactory(make_and_look)
    detach = attach(look_at)
    yield leaks
    detach()
    logging.setLogRecordFactory(make)
