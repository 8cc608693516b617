from famichat.telemetry.location import raised_at


def test_the_innermost_line_is_named_and_the_text_is_not() -> None:
    try:
        int("s3cr3t")
    except ValueError as error:
        where = raised_at(error)

    assert where.startswith("test_location.py:")
    assert "s3cr3t" not in where


def test_an_error_that_was_never_raised_has_no_location() -> None:
    assert raised_at(ValueError()) == "unknown"
