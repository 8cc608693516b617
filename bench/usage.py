"""The CPU time and memory of processes, from /proc."""

import os
import resource
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_TICKS: Final = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Usage:
    """The resources used between two moments.

    Attributes:
        seconds: the time that passed.
        server_cpu: CPU seconds of the server and its database.
        generator_cpu: CPU seconds of this process.
    """

    seconds: float
    server_cpu: float
    generator_cpu: float


class Stopwatch:
    """Measures usage from its creation.

    Args:
        pids: the server's processes; their children count, too.
    """

    def __init__(self, pids: Iterable[int]) -> None:
        self._pids = list(pids)
        self._cpu = _cpu_of(self._pids)
        self._own = _own_cpu()
        self._started = time.perf_counter()

    def stop(self) -> Usage:
        """Return the usage until now."""
        seconds, own, cpu = time.perf_counter() - self._started, _own_cpu() - self._own, _cpu_of(self._pids)
        server = sum(used - self._cpu.get(pid, 0) for pid, used in cpu.items())
        return Usage(seconds, server, own)


def resident_bytes(pid: int) -> int:
    """Return the resident memory of a process and its children."""
    pages = (int(Path(f"/proc/{each}/statm").read_text().split()[1]) for each in _tree([pid]))
    return sum(pages) * _PAGE_BYTES


def _own_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _cpu_of(pids: Iterable[int]) -> dict[int, float]:
    return {pid: sum(map(int, _stat(pid)[11:13])) / _TICKS for pid in _tree(pids)}


def _tree(pids: Iterable[int]) -> Iterator[int]:
    """Return processes and their descendants."""
    children = defaultdict(list)
    for path in Path("/proc").glob("[0-9]*"):
        try:
            children[int(_stat(int(path.name))[1])].append(int(path.name))
        except (FileNotFoundError, ProcessLookupError):  # it has just ended
            continue
    waiting = list(pids)
    while waiting:
        pid = waiting.pop()
        waiting += children[pid]
        if Path(f"/proc/{pid}").exists():
            yield pid


def _stat(pid: int) -> list[str]:
    """Return the fields of /proc/PID/stat from the state on: the name before it may contain spaces."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
