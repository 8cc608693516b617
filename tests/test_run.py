"""`./run`, the task runner for developers. Its tasks are tested by their use."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TASKS = {
    *("serve", "demo", "migrate", "sql", "shell", "build", "release", "lock", "bench", "verify", "screenshots", "help"),
    *("test", "coverage", "lint", "format", "format:check", "security-check", "static-analysis", "audit", "api-types"),
}


def run(*arguments: str, cwd: Path = ROOT) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([ROOT / "run", *arguments], cwd=cwd, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("arguments", [[], ["help"], ["--help"], ["-h"]])
def test_help_lists_every_task_with_what_it_does(arguments: list[str]) -> None:
    helped = run(*arguments)

    listed = re.findall(r"^  (\S+) +\S.*$", helped.stdout, re.MULTILINE)
    assert helped.returncode == 0
    assert set(listed) == TASKS


def test_it_works_from_any_folder(tmp_path: Path) -> None:
    assert run("help", cwd=tmp_path).stdout == run("help").stdout


def test_an_unknown_task_is_a_wrong_call() -> None:
    refused = run("dance")

    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.startswith('Unknown task "dance".\nusage: ')


def test_some_tests_can_be_run_alone() -> None:
    tested = run("test", "tests/e2ee/test_envelope.py", "-q")

    assert tested.returncode == 0, tested.stdout + tested.stderr
    assert "passed" in tested.stdout


@pytest.mark.parametrize("script", ["run", ".ci/run"])
def test_scripts_pass_the_bash_syntax_check(script: str) -> None:
    assert subprocess.run(["bash", "-n", ROOT / script], check=False).returncode == 0
