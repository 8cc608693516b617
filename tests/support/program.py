"""Runs the `famichat` program in separate processes, with the environment of the test only.

result = famichat("user", "list", "--json", data_dir=tmp_path / "data")
with started("demo", "--json", "--port", "0") as demo:
    ready = json.loads(demo.line())
"""

import json
import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from tempfile import TemporaryFile
from typing import IO, Any, Final, TextIO

from tests.support import leaks, warm

PATIENCE: Final = 60.0


def famichat(*arguments: object, given: str = "", **settings: Any) -> "subprocess.CompletedProcess[str]":
    """Run one command to its end.

    Args:
        arguments: the command.
        given: standard input.
        settings: `FAMICHAT_*` variables, in lower case and without the prefix; or others, in capitals.
    """
    with TemporaryFile() as stdin, TemporaryFile() as stdout, TemporaryFile() as stderr:
        stdin.write(given.encode())
        stdin.seek(0)
        process = _start(arguments, settings, stdin=stdin, stdout=stdout, stderr=stderr)
        try:
            process.wait(PATIENCE)
        finally:
            process.kill()
        ended = subprocess.CompletedProcess([*map(str, arguments)], process.wait(), _text(stdout), _text(stderr))
    leaks.look(ended.stderr, "a program's standard error")
    return ended


@dataclass
class Started:
    """A long-running command."""

    process: warm.Process
    output: TextIO
    error_output: TextIO

    def line(self) -> str:
        """Return the next line of standard output; fail with the output so far if the process ends or times out."""
        impatience = threading.Timer(PATIENCE, self.process.kill)
        impatience.start()
        line = self.output.readline()
        impatience.cancel()
        if not line:
            raise AssertionError(f"it ended with {self.process.wait()}: {self.errors()}")
        return line

    def event(self, name: str, **fields: object) -> dict[str, Any]:
        """Return the payload of the next such event from `famichat listen --json`."""
        while True:
            received = json.loads(self.line())
            payload: dict[str, Any] = received["payload"]
            if received["event"] == name and fields.items() <= payload.items():
                return payload

    def errors(self) -> str:
        """Return the standard error of the ended process."""
        written = self.error_output.read()
        leaks.look(written, "a program's standard error")
        return written

    def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Stop it with a signal; return its exit code."""
        self.process.send_signal(how)
        return self.process.wait(PATIENCE)


@contextmanager
def started(*arguments: object, **settings: Any) -> Iterator[Started]:
    """Start a command and stop it at the end of the block; fail if it does not stop."""
    (out, stdout), (err, stderr) = os.pipe(), os.pipe()
    with os.fdopen(out, encoding="utf-8") as output, os.fdopen(err, encoding="utf-8") as errors:
        process = _start(arguments, settings, stdout=stdout, stderr=stderr)
        os.close(stdout)
        os.close(stderr)
        try:
            yield Started(process, output, errors)
        finally:
            process.terminate()
            _ended(process)


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode()


def _ended(process: warm.Process) -> None:
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        raise


def _start(arguments: tuple[object, ...], settings: dict[str, Any], **files: IO[bytes] | int) -> warm.Process:
    return warm.start("famichat", *map(str, arguments), environment=_environment(settings), **files)


def _environment(settings: dict[str, Any]) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("FAMICHAT_")}
    given = {name if name.isupper() else f"FAMICHAT_{name.upper()}": str(value) for name, value in settings.items()}
    return inherited | given
