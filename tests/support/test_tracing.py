"""Tracing pauses in a block and goes on behind it."""

import json
import subprocess
import sys
from pathlib import Path

PROGRAM = """
from tests.support.tracing import untraced
import paused

with untraced():
    paused.inside()
paused.behind()
"""
PAUSED = """\
def inside():
    return 1

def behind():
    return 2
"""


def test_lines_that_run_in_the_block_are_not_counted_and_later_ones_are(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    (tmp_path / "paused.py").write_text(PAUSED)
    data, report = tmp_path / "data", tmp_path / "report.json"
    coverage = [sys.executable, "-m", "coverage"]
    environment = {"PYTHONPATH": f"{Path.cwd()}:{tmp_path}", "COVERAGE_FILE": str(data)}

    subprocess.run(
        [*coverage, "run", "--rcfile=", f"--include={tmp_path}/paused.py", tmp_path / "program.py"],
        check=True,
        env=environment,
    )
    subprocess.run([*coverage, "json", "--quiet", "--rcfile=", "-o", report], check=True, env=environment)

    assert json.loads(report.read_text())["files"][str(tmp_path / "paused.py")]["executed_lines"] == [1, 4, 5]
