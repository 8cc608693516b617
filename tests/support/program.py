"""Runs the `famichat` program in separate processes, with the environment of the test only.

result = famichat("user", "list", "--json", data_dir=tmp_path / "data")
with started("demo", "--json", "--port", "0") as demo:
    ready = json.loads(demo.line())
"""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.support import leaks

ROOT: Final = Path(__file__).parents[2]
PATIENCE: Final = 60.0


def famichat(*arguments: object, given: str = "", **settings: Any) -> "subprocess.CompletedProcess[str]":
    """Run one command to its end.

    Args:
        arguments: the command.
        given: standard input.
        settings: `FAMICHAT_*` variables, in lower case and without the prefix; or others, in capitals.
    """
    ended = subprocess.run(
        _command(arguments),
        input=given,
        env=_environment(settings),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    leaks.look(ended.stderr, "a program's standard error")
    return ended


@dataclass
class Started:
    """A long-running command."""

    process: "subprocess.Popen[str]"

    def line(self) -> str:
        """Return the next line of standard output; fail with the output so far if the process ends or times out."""
        assert self.process.stdout is not None
        impatience = threading.Timer(PATIENCE, self.process.kill)
        impatience.start()
        line = self.process.stdout.readline()
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
        assert self.process.stderr is not None
        written = self.process.stderr.read()
        leaks.look(written, "a program's standard error")
        return written

    def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Stop it with a signal; return its exit code."""
        self.process.send_signal(how)
        return self.process.wait(PATIENCE)


@contextmanager
def started(*arguments: object, **settings: Any) -> Iterator[Started]:
    """Start a command and stop it at the end of the block; fail if it does not stop."""
    with subprocess.Popen(
        _command(arguments),
        env=_environment(settings),
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        bufsize=1,
    ) as process:
        try:
            yield Started(process)
        finally:
            process.terminate()
            _ended(process)


def _ended(process: "subprocess.Popen[str]") -> None:
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        raise


def _command(arguments: tuple[object, ...]) -> list[str]:
    return [sys.executable, "-m", "famichat", *map(str, arguments)]


def _environment(settings: dict[str, Any]) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("FAMICHAT_")}
    given = {name if name.isupper() else f"FAMICHAT_{name.upper()}": str(value) for name, value in settings.items()}
    return inherited | given
