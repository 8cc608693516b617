"""The program: `famichat`, or `python -m famichat`."""

import atexit
import gc

from famichat.cli.program import program


def main() -> None:
    """Run one command, and exit with its code."""
    atexit.register(gc.freeze)  # what is left goes with the process; to look for garbage in it takes half a second
    program(prog_name="famichat")


if __name__ == "__main__":
    main()
