"""An operator at the server's own terminal: commands of the program, run in the test's own process.

anna = operator("user", "add", "anna", "--generate-password")
"""

import json
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from famichat.cli.program import program


class Operator:
    """Runs commands on one data directory.

    Args:
        data_dir: the server's.
        database_url: a PostgreSQL, instead of SQLite in that directory.

    Attributes:
        settings: the environment variables of its commands.
    """

    def __init__(self, data_dir: Path, database_url: str = "") -> None:
        self.data_dir = data_dir
        self.settings = {"FAMICHAT_DATA_DIR": str(data_dir), "FAMICHAT_DATABASE_URL": database_url}

    def run(self, *arguments: str, given: str = "") -> Result:
        """Run a command and return its result; an exception fails the test."""
        result = CliRunner().invoke(program, arguments, input=given, env=self.settings)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    def __call__(self, *arguments: str, given: str = "") -> Any:
        """Run a command that succeeds, and return its JSON output."""
        result = self.run(*arguments, "--json", given=given)
        assert result.exit_code == 0, result.stderr
        return json.loads(result.stdout.splitlines()[-1])

    def refused(self, *arguments: str, given: str = "") -> str:
        """Run a command that fails, and return its error code."""
        result = self.run(*arguments, given=given)
        assert result.exit_code == 1, result.output
        sent = result.stderr.splitlines()[-1]
        assert sent.startswith("famichat: ")
        assert sent.endswith(")")
        return sent[sent.rindex("(") + 1 : -1]
