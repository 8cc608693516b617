"""The prose check of `./run lint`: `python -m tests.prose.check [--show GROUP] [--update]`.

It compares the figures of every group with the ceiling in `ceilings.toml`. A group without an entry has the target as
its ceiling. A figure above its ceiling fails. A ceiling more than 0.5 above its figure fails too: `--update` lowers it,
so that the figure cannot rise again. `--update` never raises a ceiling. If a group is renamed, or takes over prose from
another one, edit `ceilings.toml` by hand, where reviewers see it.
"""

import argparse
import json
import math
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import get_args

from tests.prose.patterns import Figures, Kind, measure
from tests.prose.sources import groups

ROOT = Path(__file__).parents[2]
CEILINGS = Path(__file__).with_name("ceilings.toml")
TARGET: dict[Kind, float] = {"pronouns": 0.5, "phrases": 1.0}
SLACK = 0.5  # how far a figure may fall below its ceiling before the ceiling has to follow
KINDS: tuple[Kind, ...] = get_args(Kind)

Ceilings = Mapping[str, Mapping[Kind, float]]


def read_ceilings(path: Path) -> Ceilings:
    """Return the ceilings of every group that `ceilings.toml` lists."""
    return tomllib.loads(path.read_text())


def problems(measured: Mapping[str, Figures], ceilings: Ceilings) -> list[str]:
    """Return one sentence per figure above its ceiling, and per ceiling that is out of date."""
    found = []
    for group in sorted({*measured, *ceilings}):
        if group not in measured:
            found.append(f'"{group}" is in ceilings.toml, but does not exist. Run with --update.')
            continue
        for kind in KINDS:
            rate, ceiling = measured[group].rate(kind), ceilings.get(group, {}).get(kind, TARGET[kind])
            if rate > ceiling:
                found.append(f'"{group}" has {rate:.2f} {kind} per 1,000 words; its ceiling is {ceiling:.1f}.')
            elif ceiling > TARGET[kind] and rate < ceiling - SLACK:
                found.append(f'"{group}" has only {rate:.2f} {kind}; lower its ceiling of {ceiling:.1f} with --update.')
    return found


def lowered(measured: Mapping[str, Figures], ceilings: Ceilings) -> dict[str, dict[Kind, float]]:
    """Return the ceilings with each brought down to its figure. Those that reach the target are left out."""
    result: dict[str, dict[Kind, float]] = {}
    for group in sorted(set(measured) & set(ceilings)):
        entry: dict[Kind, float] = {}
        for kind, ceiling in ceilings[group].items():
            new = min(ceiling, math.ceil(10 * measured[group].rate(kind)) / 10)
            if new > TARGET[kind]:
                entry[kind] = new
        if entry:
            result[group] = entry
    return result


def written(ceilings: Ceilings) -> str:
    """Return the text of `ceilings.toml`: one line per group, so that branches rarely conflict."""
    lines = [
        "# The most that each group may have per 1,000 words; the target is 0.5 pronouns and 1.0 phrases.",
        "# A group that is not listed has reached the target. See tests/prose/check.py.",
    ]
    for group, entry in ceilings.items():
        inline = ", ".join(f"{kind} = {ceiling:.1f}" for kind, ceiling in entry.items())
        lines.append(f"{json.dumps(group)} = {{ {inline} }}")
    return "\n".join(lines) + "\n"


def show(group: str, figures: Figures) -> None:
    """Print every hit of a group, with the line that it is in."""
    for hit in sorted(figures.hits, key=lambda hit: (hit.path, hit.line)):
        print(f"{hit.path}:{hit.line}: [{hit.found}] {hit.context}")  # noqa: T201 (what the command is for)
    rates = ", ".join(f"{figures.rate(kind):.2f} {kind}" for kind in KINDS)
    print(f"{group}: {figures.words} words, {rates} per 1,000")  # noqa: T201 (what the command is for)


def main() -> int:
    """Run the check, and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.prose.check", description="Check how the prose is written.")
    parser.add_argument("--show", metavar="GROUP", help='print the hits of a group, or of all groups: "all"')
    parser.add_argument("--update", action="store_true", help="lower the ceilings to today's figures")
    options = parser.parse_args()
    measured = {group: measure(passages) for group, passages in groups(ROOT).items()}
    if options.show:
        shown = measured if options.show == "all" else {options.show: measured.get(options.show)}
        for group, figures in shown.items():
            if figures is None:
                parser.error(f"There is no group {group!r}. There are: {', '.join(measured)}")
            show(group, figures)
        return 0
    ceilings = read_ceilings(CEILINGS)
    if options.update:
        ceilings = lowered(measured, ceilings)
        CEILINGS.write_text(written(ceilings))
    found = problems(measured, ceilings)
    for problem in found:
        print(problem, file=sys.stderr)  # noqa: T201 (what the command is for)
    if found:
        print("See the lines with: .venv/bin/python -m tests.prose.check --show GROUP", file=sys.stderr)  # noqa: T201
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
