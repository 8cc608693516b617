import pytest

from famichat.telemetry.location import raised_at


def test_the_innermost_line_is_named_and_the_text_is_not() -> None:
    with pytest.raises(ValueError, match="s3cr3t") as raised:
        int("s3cr3t")
    where = raised_at(raised.value)

    assert where.startswith("test_location.py:")
    assert "s3cr3t" not in where


def test_an_error_that_was_never_raised_has_no_location() -> None:
    assert raised_at(ValueError()) == "unknown"
