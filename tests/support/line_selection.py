"""Selects tests by line: `./run test tests/e2ee/test_envelope.py:40-60` runs the tests that overlap these lines."""

import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

SELECTED = pytest.StashKey[list[tuple[Path, range]]]()


def select(config: pytest.Config) -> None:
    """Replace each `FILE:LINE` and `FILE:FIRST-LAST` argument with its file, and remember the lines."""
    config.stash[SELECTED] = []
    for position, argument in enumerate(config.args):
        match = re.fullmatch(r"(.+\.py):(\d+)(?:-(\d+))?", argument)
        if match is None:
            continue
        file, first, last = match[1], int(match[2]), int(match[3] or match[2])
        if last < first:
            raise pytest.UsageError(f"{argument}: the first line is after the last one")
        config.args[position] = file
        config.stash[SELECTED].append(((config.invocation_params.dir / file).resolve(), range(first, last + 1)))


def deselect(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect the tests of these files outside the selected lines.

    Raises:
        pytest.UsageError: no test overlaps the lines.
    """
    for file in {file for file, _ in config.stash[SELECTED]}:
        wanted = {line for path, lines in config.stash[SELECTED] if path == file for line in lines}
        outside = [item for item in items if item.path == file and wanted.isdisjoint(lines_of(item))]
        if len(outside) == sum(item.path == file for item in items):
            raise pytest.UsageError(f"{file}: no test overlaps the lines {min(wanted)} to {max(wanted)}")
        config.hook.pytest_deselected(items=outside)
        items[:] = [item for item in items if item not in outside]


def lines_of(item: pytest.Item) -> Iterator[int]:
    """Yield the numbers of the lines of a test function, decorators included, from 1."""
    assert isinstance(item, pytest.Function)
    source, first = inspect.getsourcelines(inspect.unwrap(item.function))
    yield from range(first, first + len(source))
