"""How often a test of chance repeats its rounds: a few times by default, many times with `./run test --long`."""

import os

# An environment variable, because test modules read it when they are imported, also in the processes of pytest-xdist.
LONG_RUN = "FAMICHAT_TESTS_LONG"


def repetitions(short: int, *, long: int) -> int:
    """Return the number of rounds or random examples for this run."""
    return long if os.environ.get(LONG_RUN) else short
