"""`famichat serve` that is killed after the transaction of a commit of an MLS group, before the commit is announced."""

import os
import signal
from typing import NoReturn

from famichat.actions.events.broadcasts import Broadcasts
from famichat.cli.program import program


def kill(*_: object) -> NoReturn:
    """End this process."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError  # unreachable


if __name__ == "__main__":
    Broadcasts.epoch_changed = kill  # type: ignore[assignment, method-assign]
    program(["serve"], prog_name="famichat")
