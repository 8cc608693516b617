import pytest

from famichat.cli.options import counted, table, visible


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("hej på dig 👋", "hej på dig 👋"),
        ("two\nlines", "two\nlines"),
        ("\x1b[2Jgone", "?[2Jgone"),
        ("\x07bell\x9b31m", "?bell?31m"),
        ("abc\u202edcba", "abc?dcba"),
        ("👩\u200d👧", "👩\u200d👧"),
    ],
)
def test_control_characters_from_other_users_are_not_printed(written: str, shown: str) -> None:
    assert visible(written) == shown


def test_a_table_has_columns() -> None:
    assert table([("a", "bb"), ("ccc", "")]) == "a    bb\nccc"


@pytest.mark.parametrize(("number", "shown"), [(0, "0 values"), (1, "1 value"), (2, "2 values")])
def test_a_number_agrees_with_its_noun(number: int, shown: str) -> None:
    assert counted(number, "value") == shown
