"""docs/sprint-7.md: every story of the specification is done, and the tests that it names exist."""

import ast
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "sprint-7.md").read_text()
ITEMS_OF_STORY = {1: 4, 2: 2, 3: 2, 4: 2, 5: 2, 6: 2, 7: 3, 8: 1, 9: 5, 10: 9}
WITHOUT_TEST = {"7.7.1", "7.7.2", "7.7.3"}  # commits


def items() -> dict[str, list[str]]:
    """Return the items, such as 7.1.1, with the tests that each names."""
    blocks = re.split(r"^- \[x\] \*\*(\d+\.\d+\.\d+)\*\* ", PAGE, flags=re.MULTILINE)[1:]
    return {
        number: re.findall(r"^  - `(.+)`$", text, re.MULTILINE)
        for number, text in zip(blocks[::2], blocks[1::2], strict=True)
    }


def test_every_story_is_done_and_proved() -> None:
    expected = {f"7.{story}.{item + 1}" for story, number in ITEMS_OF_STORY.items() for item in range(number)}

    assert set(items()) == expected
    assert "- [ ]" not in PAGE
    assert {number for number, tests in items().items() if not tests} == WITHOUT_TEST


@pytest.mark.parametrize("test", sorted({test for tests in items().values() for test in tests}))
def test_the_named_test_exists(test: str) -> None:
    file, _, name = test.partition("::")
    module = ast.parse((ROOT / file).read_text())

    assert name in {node.name for node in module.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_the_coverage_gate_is_at_least_the_required_80_percent() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())

    assert settings["tool"]["coverage"]["report"]["fail_under"] >= 80
