import doctest

from famichat.accounts import username


def test_the_examples_in_the_docstrings_are_true() -> None:
    found = doctest.testmod(username)

    assert found.attempted > 0
    assert found.failed == 0
