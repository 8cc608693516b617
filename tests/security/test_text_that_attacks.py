"""Text designed to slow down parsing (S21) or to impersonate a user (S22)."""

import time
import unicodedata
from collections.abc import Callable
from typing import Any

import pytest

from famichat.accounts.errors import InvalidUsername
from famichat.accounts.names import email_address, username
from famichat.accounts.names.username import parse_username
from famichat.actions.events.topics import ConversationTopic
from famichat.realtime import strict_json
from famichat.realtime.transport import query

LENGTH = 40_000
# time(2n) / time(n): 2 if linear, 4 if quadratic, and much more with backtracking.
MOST = 3.2


def whatever(read: Callable[[str], Any], text: str) -> None:
    try:
        read(text)
    except Exception:  # noqa: BLE001 - refused or not, it is the time that counts
        return


def least_seconds(read: Callable[[str], Any], text: str) -> float:
    def once() -> float:
        began = time.process_time()
        whatever(read, text)
        return time.process_time() - began

    return min(once() for _ in range(3))


READERS: dict[str, Callable[[str], Any]] = {
    "a name": parse_username,
    "a folded name": username.fold,
    "an address": email_address.parse_email if hasattr(email_address, "parse_email") else email_address.fold,
    "a topic": ConversationTopic.parse,
    "a frame": strict_json.loads,
    "a query": query.parse,
}
PATTERNS = ["a", "a@", "a.", "[", "{", '"', "\\", '\\"', '",', "a[", "=&", "%41", "message:", " ", "\u0301", "-a", "0"]


@pytest.mark.parametrize("reader", READERS)
def test_parsing_takes_time_proportional_to_the_length(reader: str) -> None:
    read = READERS[reader]
    for pattern in PATTERNS:
        text = pattern * (LENGTH // len(pattern))
        one, two = least_seconds(read, text), least_seconds(read, text + text)
        assert two < 0.002 or two / one < MOST, (reader, pattern, one, two)


def lookalikes(name: str) -> list[str]:
    """A name, with each of its letters replaced by each character that is drawn like it."""
    drawn: dict[str, list[str]] = {}
    for char, target in username._prototypes().items():
        if unicodedata.normalize("NFKC", char) != "s":  # a long s is drawn like an f, but it is an s
            drawn.setdefault(target, []).append(char)
    return [
        name[:place] + twin + name[place + 1 :] for place, letter in enumerate(name) for twin in drawn.get(letter, [])
    ]


def test_a_name_cannot_look_like_the_name_of_another_user() -> None:
    judged = 0
    for name in ("admin", "inga", "olof", "sofia"):
        someone = parse_username(name)
        for typed in lookalikes(name):
            judged += 1
            try:
                twin = parse_username(typed)
            except InvalidUsername:
                continue
            assert twin.key == someone.key or twin.look == someone.look, typed.encode("unicode_escape")
    assert judged >= 200
