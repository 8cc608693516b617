"""Measures Famichat, and on request other servers with the same work. See docs/performance.md."""

import argparse
import json
import resource
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Final

from bench.growth import QUICK_SIZES, SIZES, Size, measure_growth
from bench.limits import measure_limits
from bench.report import Run, limited_by_generator, report
from bench.servers.famichat import Famichat, FamichatOnPostgres
from bench.servers.peers import BareSocketIo, Ejabberd, Prosody
from bench.servers.server import NotInstalled, Server
from bench.workloads import WORKLOADS, Plan, Result, population, run

OURS: Final[dict[str, type[Server]]] = {"Famichat, SQLite": Famichat, "Famichat, PostgreSQL": FamichatOnPostgres}
PEERS: Final[dict[str, type[Server]]] = {
    "ejabberd, PostgreSQL": Ejabberd,
    "Prosody (no fsync)": Prosody,
    "socket.io (stores nothing)": BareSocketIo,
}
_PARTS: Final = ("limits", "growth")


def main() -> int:
    """Measure, print the report, and return the exit status."""
    options = _options()
    _allow_many_connections()
    servers = {**OURS, **(PEERS if options.peers else {})}
    if options.quick:
        servers = {"Famichat, SQLite": Famichat}
    plan = Plan(0.1, 0.01, pairs=2, clients=4) if options.quick else Plan(options.seconds, options.warm_up)
    measured = _measure(options, servers, plan)
    print(report(measured))
    if options.json:
        options.json.write_text(json.dumps({**measured._asdict(), "plan": asdict(plan)}, default=asdict, indent=1))
    ours_limited = [line for line in limited_by_generator(measured) if "Famichat" in line]
    return int(bool(measured.problems or ours_limited) and not options.quick)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./run bench", description=__doc__)
    parser.add_argument("--peers", action="store_true", help="also measure ejabberd, Prosody and socket.io")
    parser.add_argument("--quick", action="store_true", help="only check that everything works, with tiny amounts")
    parser.add_argument("--seconds", type=float, default=6, help="duration of each workload (default: 6)")
    parser.add_argument("--warm-up", type=float, default=1, help="seconds before it (default: 1)")
    parser.add_argument("--rounds", type=int, default=2, help="how often; the best round counts (default: 2)")
    parser.add_argument("--json", type=Path, help="also write all results to this file")
    choices = [*WORKLOADS, *_PARTS]
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"what to measure (default: all): {' '.join(choices)}")
    options = parser.parse_args()
    if unknown := set(options.names) - set(choices):
        parser.error(f"unknown: {' '.join(sorted(unknown))}")
    options.names = options.names or choices
    return options


def _measure(options: argparse.Namespace, servers: dict[str, type[Server]], plan: Plan) -> Run:
    problems: list[str] = []
    names = [name for name in WORKLOADS if name in options.names]
    rounds = 1 if options.quick else options.rounds
    results: dict[str, dict[str, list[Result]]] = {name: {} for name in names}
    if names:
        with _running(servers, names, plan, problems) as started:
            for name in names:
                for number in range(rounds):
                    _measure_workload(name, number, started, plan, results[name], problems)
    limits = measure_limits(0.1 if options.quick else 1) if "limits" in options.names else {}
    growth = _measure_growth(QUICK_SIZES if options.quick else SIZES, problems) if "growth" in options.names else {}
    return Run(plan, rounds, results, problems, limits, growth)


def _measure_growth(sizes: Mapping[str, Size], problems: list[str]) -> dict[str, dict[str, float]]:
    growth = {}
    for title, size in sizes.items():
        with tempfile.TemporaryDirectory() as folder:
            try:
                growth[title] = measure_growth(Path(folder), size)
            except (OSError, TimeoutError) as error:
                _report(problems, f"`growth` failed with {title}: {error}")
                continue
        _say(f"growth {title}: {_listed(growth[title])}")
    return growth


@contextmanager
def _running(
    servers: dict[str, type[Server]], names: Sequence[str], plan: Plan, problems: list[str]
) -> Iterator[dict[str, Server]]:
    """Run all servers at once: idle ones need no processor, and each workload runs on one after the other."""
    needed = population([WORKLOADS[name] for name in names], plan)
    started = {}
    with ExitStack() as stack:
        for name, kind in servers.items():
            _say(f"starting {name}")
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            folder.chmod(0o755)  # the server may run as another user
            try:
                started[name] = stack.enter_context(kind.run(folder, needed))
            except NotInstalled as error:
                _report(problems, f"{name} was not measured: {error} is not installed.")
        yield started


def _measure_workload(
    name: str,
    number: int,
    servers: dict[str, Server],
    plan: Plan,
    results: dict[str, list[Result]],
    problems: list[str],
) -> None:
    workload = WORKLOADS[name]
    for title, server in servers.items():
        if (workload.stores and not server.keeps_messages) or (workload.encrypted and not server.has_mls):
            continue
        try:
            result = run(workload, server, plan)
        except (OSError, TimeoutError) as error:
            _report(problems, f"`{name}` failed on {title}: {error}")
            continue
        results.setdefault(title, []).append(result)
        _say(f"{name} {number + 1} {title}: {_listed(result.figures)}, generator {result.generator_share:.0%}")


def _listed(figures: Mapping[str, float]) -> str:
    return ", ".join(f"{figure} {value:.4g}" for figure, value in figures.items())


def _report(problems: list[str], problem: str) -> None:
    problems.append(problem)
    _say(problem)


def _allow_many_connections() -> None:
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
