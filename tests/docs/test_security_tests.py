"""docs/security-tests.md has a row for every requirement, and names tests that exist."""

import ast
import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "security-tests.md").read_text()
ROWS = re.findall(r"^\| S(\d+) \| (.+?) \| (.+?) \|$", PAGE, re.MULTILINE)
NUMBERS = range(1, 50)


@cache
def facts_of(path: str) -> frozenset[str]:
    file = ROOT / "tests" / path
    found = ast.walk(ast.parse(file.read_text())) if file.exists() else ()
    return frozenset(node.name for node in found if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def is_test_of_the_client(path: str, title: str) -> bool:
    file = ROOT / path
    return file.exists() and f'test("{title}"' in file.read_text()


def test_every_requirement_has_one_row_in_order() -> None:
    covered = [number for number, _, proof in ROWS if proof != "-"]
    print(f"covered {len(covered)}/{len(NUMBERS)}")  # noqa: T201 - the figure to report

    assert [int(number) for number, _, _ in ROWS] == list(NUMBERS)


def test_every_row_names_tests_that_exist_or_says_why_there_is_none() -> None:
    for number, words, proof in ROWS:
        named = re.findall(r"`([\w/]+\.py)::(test_\w+)`", proof)
        client = re.findall(r"`(web/src/[\w/.-]+\.test\.ts): ([^`]+)`", proof)
        assert named or client or (proof == "-" and words.startswith("- ")), f"S{number}"
        assert proof == "-" or proof.count("`") == 2 * len(named + client), f"S{number}: something else stands there"
        assert not [(path, name) for path, name in named if name not in facts_of(path)], f"S{number}"
        assert not [title for path, title in client if not is_test_of_the_client(path, title)], f"S{number}"
