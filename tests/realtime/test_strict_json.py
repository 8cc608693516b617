import contextlib
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from famichat.realtime import strict_json
from famichat.realtime.strict_json import InvalidJSON

REFUSED = {
    "NaN": "[NaN]",
    "infinity": "[Infinity]",
    "negative infinity": "[-Infinity]",
    "a number that becomes infinite": "[1e400]",
    "half a surrogate pair": r'["\ud800"]',
    "the other half": r'["\udc00"]',
    "half a surrogate pair in a key": r'{"\ud800": 1}',
    "U+0000": r'["\u0000"]',
    "U+0000 in a key": r'{"\u0000": 1}',
    "a raw control character": '["\0"]',
    "a duplicate key": '{"a": 1, "a": 2}',
    "a duplicate key below": '[{"b": {"a": 1, "a": 2}}]',
    "a duplicate key in disguise": r'{"a": 1, "\u0061": 2}',
    "an integer beyond 2^53": "[9007199254740993]",
    "a negative integer beyond 2^53": "[-9007199254740993]",
    "an endless integer": "[" + "1" * 100_000 + "]",
    "nesting beyond 32": "[" * 33 + "]" * 33,
    "objects nested beyond 32": '{"a":' * 33 + "1" + "}" * 33,
    "nesting that would end a process": "[" * 1_000_000,
    "a byte order mark": "\ufeff[]",
    "nothing": "",
    "two values": "[] []",
    "a trailing comma": "[1,]",
    "single quotes": "['a']",
    "a comment": "[1] // one",
    "a leading zero": "[01]",
    "more than 4096 objects": "[" + "{}," * 4096 + "{}]",
    "more than 4096 numbers": "[" + "1," * 4096 + "1]",
    "more than 4096 strings": "[" + '"",' * 4096 + '""]',
    "more than 4096 members": "{" + ",".join(f'"{name}":1' for name in range(4097)) + "}",
    "strings without commas": '""' * 20_000,
    "closing brackets only": "]" * 20_000,
}


@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED.keys())
def test_rule_53_ambiguous_json_is_refused(text: str) -> None:
    with pytest.raises(InvalidJSON):
        strict_json.loads(text)
    with pytest.raises(InvalidJSON):
        strict_json.loads(text.encode())


def test_bytes_that_are_not_utf8_are_refused() -> None:
    with pytest.raises(InvalidJSON, match="UTF-8"):
        strict_json.loads(b'["\xff"]')


def test_text_with_a_lone_surrogate_in_it_is_refused() -> None:
    with pytest.raises(InvalidJSON, match="UTF-8"):
        strict_json.loads('["\ud800"]')


def test_values_are_counted_before_they_are_built() -> None:
    tracemalloc.start()
    try:
        for text in ("[" + "{}," * 300_000 + "{}]", '["' + '","' * 300_000 + '"]', '"' + r"\"" * 300_000):
            with pytest.raises(InvalidJSON):
                strict_json.loads(text)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 8 * 1024 * 1024, "the three texts, of 1 MiB each; their values would take ten times as much"


def test_a_refusal_quotes_nothing_of_the_text() -> None:
    with pytest.raises(InvalidJSON) as refusal:
        strict_json.loads('{"secret": "s3cr3t"')

    assert "s3cr3t" not in str(refusal.value)
    assert refusal.value.__cause__ is None


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("[9007199254740992, -9007199254740992]", [2**53, -(2**53)]),
        ("[" * 32 + "]" * 32, None),
        (r'["\ud83d\ude00"]', ["😀"]),
        (r'["\\u0000", "\\ud800"]', ["\\u0000", "\\ud800"]),
        ('["' + "[{" * 100 + '"]', ["[{" * 100]),
        ('["' + "[{,]}" * 4096 + '"]', ["[{,]}" * 4096]),
        ('["' + r"\"," * 4096 + '"]', ['",' * 4096]),
        ("[" + "1," * 4094 + "1]", [1] * 4095),
        (r'["\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["]', ['"' + "[" * 40]),
        ('"hello"', "hello"),
        ("1.5e3", 1500.0),
        ("null", None),
    ],
)
def test_unusual_valid_json_is_accepted(text: str, value: object) -> None:
    loaded = strict_json.loads(text)

    assert value is None or loaded == value


_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(_json)
def test_written_json_reads_back_equal(value: object) -> None:
    assert strict_json.loads(strict_json.dumps(value)) == value


@given(st.binary() | st.text())
def test_reading_raises_nothing_but_invalid_json(data: bytes | str) -> None:
    with contextlib.suppress(InvalidJSON):
        strict_json.loads(data)


def test_rule_14_written_json_is_compact_and_unescaped() -> None:
    assert strict_json.dumps({"a": ["é", "/", "😀"]}) == '{"a":["é","/","😀"]}'.encode()
