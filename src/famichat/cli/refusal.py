"""How a refusal is told: one sentence on standard error, a stable code, and never a traceback.

Exit codes: 0 it worked, 1 it was refused or failed, 2 it was called or configured wrongly.
"""

from typing import IO, Any

import click

from famichat.cli.options import visible
from famichat.error_codes import CODES

FAILED, MISUSED = 1, 2


class Refused(click.ClickException):
    """The command cannot do what it was asked to.

    Args:
        code: what programs read; one of `docs/errors.md`, or of the table in `docs/running.md`.
        sentence: what people read.
    """

    exit_code = FAILED

    def __init__(self, code: str, sentence: str = "") -> None:
        super().__init__(sentence or (CODES[code].title if code in CODES else "The server refused the request"))
        self.code = code

    def show(self, file: IO[Any] | None = None) -> None:
        """Tell it."""
        told = visible(f"{self.message.rstrip('.')} ({self.code})")  # a strange server's words may be in it
        click.echo(f"famichat: {told}", file=file, err=file is None)
