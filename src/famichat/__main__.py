"""The program: `famichat`, or `python -m famichat`."""

from famichat.cli.program import program


def main() -> None:
    """Run one command, and exit with its code."""
    program(prog_name="famichat")


if __name__ == "__main__":
    main()
