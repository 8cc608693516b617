"""The expected failure of a command: a sentence and a stable code on standard error, without a traceback.

Exit codes: 0 success, 1 failure, 2 invalid usage or configuration.
"""

from typing import IO, Any

import click

from famichat.cli.options import visible
from famichat.error_codes import CODES

FAILED, MISUSED = 1, 2


class Refused(click.ClickException):
    """The command failed for an expected reason.

    Args:
        code: a stable code for programs, from `docs/errors.md` or the table in `docs/running.md`.
        sentence: the message for people. Defaults to the title of the code.
    """

    exit_code = FAILED

    def __init__(self, code: str, sentence: str = "") -> None:
        super().__init__(sentence or (CODES[code].title if code in CODES else "The server refused the request"))
        self.code = code

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the sentence and the code."""
        text = visible(f"{self.message.rstrip('.')} ({self.code})")  # it may contain the text of an untrusted server
        click.echo(f"famichat: {text}", file=file, err=file is None)
