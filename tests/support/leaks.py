"""Watches logs, events, metrics, traces and errors of this process for secrets during every test.

Two kinds of secrets: those that all tests share, and whatever a test has sent or been given lately under a name such as
`body` or `access_token`: the clients that tests use (`RunningApp`, `ChannelClient`) hand everything over. It looks at
records as they are made, from the most talkative level on, so that no handler that a test changes hides one; at the
text of the metrics at each scrape; at spans as a collector gets them; at every answer that is an error;
and at what other processes of the tests write to their logs.
"""

import logging
import os
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import famichat
from famichat.telemetry import attach
from famichat.telemetry.events import Event
from famichat.telemetry.metrics import Metrics
from tests.factories.people import PASSWORD, PASSWORD_HASH, SECRET

SECRETS = (PASSWORD, PASSWORD_HASH, SECRET, "@example.org")
SECRET_FIELDS = frozenset(
    {
        "body",
        "password",
        "email",
        "token",
        "access_token",
        "refresh_token",
        "code",
        "key_id",
        "p256dh",
        "auth",
        "display_name",
    }
)
_LATELY = 64
# Shorter values, and repetitions of one letter, occur in any text by chance.
_LEAST, _LEAST_DIFFERENT = 8, 4


class Watch:
    """The secrets, and the tests that leaked one."""

    def __init__(self, secrets: tuple[str, ...]) -> None:
        self.leaks: list[str] = []
        self._secrets = secrets
        self._lately: deque[str] = deque(maxlen=_LATELY)

    def remember(self, value: Any, name: str = "") -> None:
        """Register the values of secret fields in a payload from now on."""
        match value:
            case dict():
                for inner, each in value.items():
                    self.remember(each, inner)
            case list():
                for each in value:
                    self.remember(each, name)
            case str() if name in SECRET_FIELDS and len(value) >= _LEAST and len(set(value)) >= _LEAST_DIFFERENT:
                if value not in self._lately and value not in _what_the_program_says():
                    self._lately.append(value)

    def look(self, text: str, teller: str) -> None:
        """Check whether a text contains a secret."""
        if any(secret in text for secret in self._secrets) or any(secret in text for secret in self._lately):
            self.leaks.append(f"{teller}, in {os.environ.get('PYTEST_CURRENT_TEST')}")


@cache
def _what_the_program_says() -> str:
    """Its own text, which is no secret, and of whose words Hypothesis makes examples."""
    return "\n".join(file.read_text() for file in Path(famichat.__file__).parent.rglob("*.py"))


_watches: list[Watch] = []
"""The innermost is the one that learns: a watcher's own test tells the one around it no secrets."""


def remember(value: Any, name: str = "") -> None:
    """Register a payload that a test sends or receives."""
    for timer in _watches[-1:]:
        timer.remember(value, name)


def look(text: str, teller: str) -> None:
    """Check a text that outsiders may read."""
    for timer in _watches[-1:]:
        timer.look(text, teller)


@contextmanager
def watched(secrets: tuple[str, ...] = SECRETS) -> Iterator[list[str]]:
    """Watch during the block; yield the tests that leaked a secret, and through which output."""
    timer = Watch(secrets)
    _watches.append(timer)
    make, render = logging.getLogRecordFactory(), Metrics.render
    ours = logging.getLogger("famichat")
    level = ours.level

    def make_and_look(*args: object, **named: object) -> logging.LogRecord:
        record: logging.LogRecord = make(*args, **named)
        fault = record.exc_info[1] if record.exc_info else None
        timer.look(f"{record.msg} {record.args} {fault}", record.name)
        return record

    def render_and_look(self: Metrics) -> bytes:
        text = render(self)
        timer.look(text.decode(), "metrics")
        return text

    def look_at(event: Event) -> None:
        timer.look(str(event), event.name)

    logging.setLogRecordFactory(make_and_look)
    ours.setLevel(logging.DEBUG)
    Metrics.render = render_and_look  # type: ignore[method-assign]  # for as long as the block runs
    detach = attach(look_at)
    try:
        yield timer.leaks
    finally:
        detach()
        Metrics.render = render  # type: ignore[method-assign]  # as it was
        ours.setLevel(level)
        logging.setLogRecordFactory(make)
        _watches.remove(timer)
