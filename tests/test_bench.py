"""`./run bench`: with tiny amounts of work, every kind of measurement and the report."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from bench.report import Run, report
from bench.workloads import Plan

ROOT = Path(__file__).parents[1]


def test_the_benchmarks_measure_and_report(tmp_path: Path) -> None:
    names = ["w4", "w1r", "w2e", "w3r", "w5", "w6", "limits", "growth"]
    output = tmp_path / "results.json"
    command = [sys.executable, "-m", "bench", "--quick", "--json", str(output), *names]

    finished = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=200)

    head, *tables = finished.stdout.strip().split("\n\n")
    measured = json.loads(output.read_text())
    assert re.fullmatch(r"\d{4}-\d\d-\d\d, commit \w+, \d+ cores, Python [\d.]+: 0.1 s per workload, best of 1\.", head)
    assert [table.splitlines()[0] for table in tables] == [
        "| workload | Famichat, SQLite |",
        "| limit of the machine | value |",
        "| Famichat on SQLite | 20 messages |",
    ]
    assert [name for name in names if name in measured["results"]] == names[:6]
    assert measured["problems"] == []
    assert all(result["figures"]["lost"] == 0 for name in ("w4", "w6") for result in _results(measured, name))
    deliver = ("w1r", "w2e", "w3r")
    assert all(result["figures"]["deliveries/s"] > 0 for name in deliver for result in _results(measured, name))
    assert measured["growth"]["20 messages"]["rejoin ms"] > 0


def test_a_run_that_measures_only_the_growth_is_reported() -> None:
    run = Run(Plan(1, 0), 1, {}, [], {}, {"small": {"list ms": 1.5}, "large": {"list ms": 2.25}})

    assert report(run).endswith("| Famichat on SQLite | small | large |\n| --- | --- | --- |\n| list ms | 1.5 | 2.25 |")


def _results(measured: Any, name: str) -> Any:
    return measured["results"][name]["Famichat, SQLite"]
