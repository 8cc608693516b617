"""Runs a command repeatedly, killing it one step later each time, until it completes.

    python -m tests.support.killed_at FOLDER famichat-arguments...

A step is a touch of the file system inside the data directory, which is FOLDER/1, FOLDER/2 and so on. Prints the exit
code of each run as a JSON list; all but the last are those of a process that was killed.
"""

import json
import os
import signal
import sys
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Final

from famichat.cli.program import program
from tests.support.warm import import_program

TOUCHES: Final = {"open", "os.rename", "os.link", "os.remove", "os.mkdir", "os.rmdir", "sqlite3.connect"}
STEPS: Final = 200


def every_step(folder: Path, arguments: Sequence[str]) -> list[int]:
    """Run it with one more step each time; return the exit codes."""
    codes = []
    for step in range(1, STEPS):
        child = os.fork()
        if not child:
            _run(step, folder / str(step), arguments)
        codes.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        if codes[-1] >= 0:
            break
    return codes


def _run(step: int, data_dir: Path, arguments: Sequence[str]) -> None:
    touches = count(1)

    def touched(event: str, details: tuple[object, ...]) -> None:
        if event in TOUCHES and str(data_dir) in str(details[0]) and next(touches) == step:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(touched)
    sys.stdout = sys.stderr
    program([*arguments, "--data-dir", str(data_dir)], prog_name="famichat")


if __name__ == "__main__":
    import_program()
    print(json.dumps(every_step(Path(sys.argv[1]), sys.argv[2:])))  # noqa: T201 - for the test that waits for it
