"""Runs a command of the program in a process that is killed at its Nth commit, before the database receives it.

    process = start("tests.support.killed_at_commit", "3", "move", "--to", url, environment=..., stdout=log, stderr=log)

A database changes only by commits, so killing a command at each of them covers every state that it can leave behind.
"""

import os
import signal
import sys
from itertools import count

from sqlalchemy import Connection, Engine, event

from famichat.cli.program import program


def main(step: int, arguments: list[str]) -> None:
    """Run the command; it ends earlier if it commits `step` times."""
    commits = count(1)

    def on_commit(_: Connection) -> None:
        if next(commits) == step:
            os.kill(os.getpid(), signal.SIGKILL)

    event.listen(Engine, "commit", on_commit)
    program(arguments, prog_name="famichat")


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
