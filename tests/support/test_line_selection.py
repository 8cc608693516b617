"""Selecting tests by line, as `./run test FILE:FIRST-LAST` does."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILE = "tests/e2ee/test_envelope.py"
TEST = "test_version_tag_is_another_name_of_encryption_version"
LINE = 1 + (ROOT / FILE).read_text().splitlines().index(f"def {TEST}() -> None:")


def collect(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "pytest", "--collect-only", "--quiet", "-p", "no:cacheprovider", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("lines", [str(LINE), f"{LINE + 1}-{LINE + 2}"])
def test_only_the_tests_on_these_lines_run(lines: str) -> None:
    assert re.findall(r"::(\w+)", collect(f"{FILE}:{lines}").stdout) == [TEST]


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [("1-3", "no test overlaps the lines 1 to 3"), ("3-1", "the first line is after the last one")],
)
def test_lines_that_select_nothing_are_a_wrong_call(lines: str, sentence: str) -> None:
    refused = collect(f"{FILE}:{lines}")

    assert (refused.returncode, sentence in refused.stderr) == (pytest.ExitCode.USAGE_ERROR, True)
