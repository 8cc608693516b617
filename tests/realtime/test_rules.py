"""Each of the 53 rules of the Phoenix protocol that the tests in this folder cite is named by a test."""

import ast
import re
from pathlib import Path

RULES = range(1, 54)
FOLDERS = (Path(__file__).parent, Path(__file__).parents[1] / "conformance")


def numbers(name: str) -> set[int]:
    """Return the rules that a test names: `rule_20_...`, `rules_28_and_29_...`, `rules_12_13_and_14_...`."""
    match = re.match(r"test_rules?((?:_\d+)+(?:_and_\d+)?)_", name)
    return {int(number) for number in re.findall(r"\d+", match[1])} if match else set()


def test_every_rule_is_named_by_a_test() -> None:
    files = [file for folder in FOLDERS for file in folder.rglob("test_*.py") if "node_modules" not in file.parts]
    names = [
        node.name
        for file in files
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]

    assert sorted(set(RULES) - {rule for name in names for rule in numbers(name)}) == []
