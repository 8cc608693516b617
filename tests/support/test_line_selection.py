"""Selecting tests by line, as `./run test FILE:FIRST-LAST` does."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.support import line_selection

ROOT = Path(__file__).parents[2]
FILE = "tests/support/test_line_selection.py"


def configured(*arguments: str) -> Any:
    """A configuration with these arguments, after the selection was parsed."""
    config = SimpleNamespace(
        args=list(arguments),
        stash=pytest.Stash(),
        invocation_params=SimpleNamespace(dir=ROOT),
        hook=SimpleNamespace(pytest_deselected=lambda **_: None),
    )
    line_selection.select(config)  # type: ignore[arg-type]  # what it uses of a configuration
    return config


def lines_of(item: pytest.Item) -> list[int]:
    return list(line_selection.lines_of(item))


@pytest.fixture
def items(request: pytest.FixtureRequest) -> list[pytest.Item]:
    """All tests of this run that are in this file."""
    return [item for item in request.session.items if item.path == Path(__file__)]


@pytest.mark.parametrize("lines", ["all", "one"])
def test_only_the_tests_on_these_lines_run(
    request: pytest.FixtureRequest, items: list[pytest.Item], lines: str
) -> None:
    own = lines_of(request.node)
    config = configured(f"{FILE}:{own[0]}-{own[-1]}" if lines == "all" else f"{FILE}:{own[1]}")
    selected = items.copy()
    line_selection.deselect(config, selected)

    assert config.args == [FILE]
    assert {item.name.partition("[")[0] for item in selected} == {"test_only_the_tests_on_these_lines_run"}


def test_lines_without_a_test_are_a_wrong_call(items: list[pytest.Item]) -> None:
    config = configured(f"{FILE}:1-3")

    with pytest.raises(pytest.UsageError, match="no test overlaps the lines 1 to 3"):
        line_selection.deselect(config, items)


def test_the_first_line_cannot_be_after_the_last() -> None:
    with pytest.raises(pytest.UsageError, match="the first line is after the last one"):
        configured(f"{FILE}:3-1")
