"""Every command of the program."""

from importlib import import_module
from importlib.metadata import version
from typing import Any, Final

import click

_COMMANDS: Final = {
    "serve": "serve",
    "demo": "demo",
    "migrate": "database",
    "doctor": "database",
    "backup": "backup",
    "restore": "backup",
    "vault": "vault",
    "user": "user",
    "family": "family",
    "invite": "invite",
    "sql": "database",
    "shell": "database",
    "login": "messages",
    "logout": "messages",
    "conversations": "messages",
    "group": "group",
    "send": "messages",
    "edit": "changes",
    "delete": "changes",
    "react": "changes",
    "listen": "listen",
    "export": "export",
}
"""The module of `famichat.cli` that each is in, in the order in which people meet them."""


class Program(click.Group):
    """A group of commands whose expected errors are told in words.

    A command is loaded when it is asked for: who says something from a terminal does not wait for a server's parts.
    """

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that was asked for."""
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as fault:
            told = import_module("famichat.cli.expected").in_words(fault)
            if told is None:
                raise
            raise told from None

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order in which people meet them."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load it; None if there is none of this name."""
        module = _COMMANDS.get(cmd_name)
        if module is None:
            return None
        command: click.Command = getattr(import_module(f"famichat.cli.{module}"), cmd_name)
        return command


@click.group(cls=Program, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version("famichat"), message="%(version)s")
def program() -> None:
    """Famichat, a self-hosted messenger for families.

    Configure the server with FAMICHAT_* variables or a famichat.toml file; see docs/running.md.
    """
