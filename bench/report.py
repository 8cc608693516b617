"""The report of a run, as Markdown tables."""

import os
import platform
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

from bench.workloads import WORKLOADS, Plan, Result

_ROOT: Final = Path(__file__).parents[1]
_CPU: Final = "server CPU s per 1,000"


class Run(NamedTuple):
    """Everything that a run measured.

    Attributes:
        plan: how it measured.
        rounds: how often.
        results: the results of each workload, by the name of the server; one per round.
        problems: what could not be measured, and why.
        limits: see `measure_limits`.
        growth: the figures for each size.
    """

    plan: Plan
    rounds: int
    results: dict[str, dict[str, list[Result]]]
    problems: list[str]
    limits: Mapping[str, float]
    growth: Mapping[str, Mapping[str, float]]


def report(run: Run) -> str:
    """Return the whole report."""
    sections = [_head(run), _workloads(run), _ratios(run), _limits(run), _growth(run), _problems(run)]
    return "\n\n".join(section for section in sections if section)


def best(name: str, results: Sequence[Result]) -> Result:
    """Return the best round of a workload."""
    choose = max if WORKLOADS[name].higher_is_better else min
    return choose(results, key=lambda result: next(iter(result.figures.values())))


def _head(run: Run) -> str:
    commit = subprocess.run(
        ["git", "log", "-1", "--format=%h"],  # noqa: S607 - git is in the PATH
        cwd=_ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, commit {commit.stdout.strip() or 'unknown'}, {os.cpu_count()} cores, "
        f"Python {platform.python_version()}: {run.plan.seconds:g} s per workload, best of {run.rounds}."
    )


def _workloads(run: Run) -> str:
    rows = []
    for name, by_server in run.results.items():
        names = dict.fromkeys(figure for results in by_server.values() for figure in results[0].figures)
        for figure in names:
            cells = [_figure(name, figure, by_server.get(server)) for server in _servers(run)]
            rows.append([f"`{name}` {figure}", *cells])
    return _table(["workload", *_servers(run)], rows)


def _figure(name: str, figure: str, results: Sequence[Result] | None) -> str:
    if not results:
        return ""
    result = best(name, results)
    at_least = ">= " if result.limited_by_generator and figure == "deliveries/s" else ""
    return at_least + _number(result.figures[figure]) if figure in result.figures else ""


def _ratios(run: Run) -> str:
    """How many times as good the first server is as each other one; above 1, the first one is better."""
    if not (servers := _servers(run)):
        return ""
    first, *others = servers
    rows = []
    for name, by_server in run.results.items():
        if first not in by_server:
            continue
        for figure in (next(iter(best(name, by_server[first]).figures)), _CPU):
            cells = [_ratio(name, figure, by_server[first], by_server.get(other)) for other in others]
            if any(cells):
                rows.append([f"`{name}` {figure}", *cells])
    return _table([f"{first} is better by the factor", *others], rows) if others else ""


def _ratio(name: str, figure: str, ours: Sequence[Result], theirs: Sequence[Result] | None) -> str:
    if not theirs:
        return ""
    own, other = best(name, ours).figures.get(figure), best(name, theirs).figures.get(figure)
    if not own or not other:
        return ""
    higher_is_better = WORKLOADS[name].higher_is_better and figure != _CPU
    return f"{own / other if higher_is_better else other / own:.2f}"


def _limits(run: Run) -> str:
    return _table(["limit of the machine", "value"], [[name, _number(value)] for name, value in run.limits.items()])


def _growth(run: Run) -> str:
    names = dict.fromkeys(name for figures in run.growth.values() for name in figures)
    rows = [[name, *(_number(figures[name]) for figures in run.growth.values())] for name in names]
    return _table(["Famichat on SQLite", *run.growth], rows)


def _problems(run: Run) -> str:
    return "\n".join(f"- {problem}" for problem in [*run.problems, *limited_by_generator(run)])


def limited_by_generator(run: Run) -> Iterator[str]:
    """Say which results are too low, because the generator had no processor time left."""
    for name, by_server in run.results.items():
        for server, results in by_server.items():
            if (result := best(name, results)).limited_by_generator:
                share = f"{result.generator_share:.0%}"
                yield f"`{name}` on {server}: the generator used {share} of a core, so the server can do more."


def _servers(run: Run) -> list[str]:
    return list(dict.fromkeys(server for by_server in run.results.values() for server in by_server))


def _number(value: float) -> str:
    if value >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.3g}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    rows = list(rows)
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) if rows else ""
