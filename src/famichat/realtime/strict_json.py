r"""Strict JSON: rejects everything that two JSON libraries may interpret differently.

Rejected: NaN and infinities (also `1e400`), lone surrogates, U+0000, duplicate keys, integers beyond 2^53, nesting
beyond 32. Some JSON libraries accept these, and then a database, another client or a browser fails on them.

The number of values is limited, too, and counted before anything is built: `[{},{},...]` takes 30 times its size.

    >>> loads('{"a": [1, 2]}')
    {'a': [1, 2]}
    >>> dumps({"a": "é/"})
    b'{"a":"\xc3\xa9/"}'
"""

import json
import math
import re
from typing import Any

import orjson

MAX_DEPTH = 32
MAX_VALUES = 4096
"""Of one text, without keys. The largest valid request lists 500 users."""
MAX_INTEGER = 2**53
_MAX_INTEGER_DIGITS = len(str(MAX_INTEGER)) + 1  # and a sign

# The closing quote is optional, so that an unterminated string is one match. Otherwise each escaped quote in it would
# start another match that runs to the end, which takes quadratic time.
_TOKEN = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[\]{},]', re.DOTALL)


class InvalidJSON(ValueError):
    """The text is not JSON, or not strict JSON; `reason` quotes nothing of it."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def loads(data: bytes | str) -> Any:
    """Parse one JSON value.

    Raises:
        InvalidJSON: the text is malformed or not strict.
    """
    text = _text(data)
    _check_structure(text)
    try:
        value = _decoder.decode(text)
    except json.JSONDecodeError:
        raise InvalidJSON("malformed JSON") from None
    except RecursionError:
        # Unreachable while _check_structure is correct. A RecursionError must not reach the event loop.
        raise InvalidJSON("nested too deeply") from None
    if "\\u" in text:
        _check_strings(value)
    return value


def dumps(value: Any) -> bytes:
    """Serialize one value compactly: no spaces, no escaped slashes or non-ASCII characters (rule 14)."""
    return orjson.dumps(value)


def _text(data: bytes | str) -> str:
    try:
        if isinstance(data, bytes):
            return data.decode()
        data.encode()
    except UnicodeError:
        raise InvalidJSON("not UTF-8") from None
    return data


def _check_structure(text: str) -> None:
    """Check the depth and the number of values, and stop at the first excess."""
    opened = text.count("[") + text.count("{")
    if opened <= MAX_DEPTH and opened + text.count(",") < MAX_VALUES:
        return  # the usual case; the marks inside strings do not matter
    depth = strings = 0
    values = 1
    for found in _TOKEN.finditer(text):
        mark = found[0]
        if mark in "]}":
            depth -= 1
            if depth < 0:
                raise InvalidJSON("malformed JSON")
            continue
        if mark in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise InvalidJSON("nested too deeply")
        strings += mark[0] == '"'
        values += mark[0] != '"'
        # In valid JSON there are at most two strings per value, a key and the value.
        if values > MAX_VALUES or strings > 2 * MAX_VALUES:
            raise InvalidJSON("too many values")


def _check_strings(value: Any) -> None:
    """Look for what only an escape can bring in: half a surrogate pair, or U+0000."""
    match value:
        case str():
            if "\0" in value:
                raise InvalidJSON("U+0000 in a string")
            if not value.isascii():
                _text(value)
        case list():
            for item in value:
                _check_strings(item)
        case dict():
            for key, item in value.items():
                _check_strings(key)
                _check_strings(item)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise InvalidJSON("duplicate key")
    return found


def _integer(digits: str) -> int:
    # Length first: int() takes quadratic time over a million digits.
    if len(digits) > _MAX_INTEGER_DIGITS or abs(number := int(digits)) > MAX_INTEGER:
        raise InvalidJSON("integer beyond 2^53")
    return number


def _number(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise InvalidJSON("number out of range")
    return number


def _constant(_name: str) -> None:
    raise InvalidJSON("not a JSON number")


_decoder = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_integer, parse_float=_number, parse_constant=_constant
)
