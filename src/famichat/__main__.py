"""The command-line program: `famichat`, or `python -m famichat`."""

import atexit
import gc

from famichat.cli.program import program


def main() -> None:
    """Run one command and exit with its status."""
    atexit.register(gc.freeze)  # skip the garbage collection at exit, which takes half a second
    program(prog_name="famichat")


if __name__ == "__main__":
    main()
