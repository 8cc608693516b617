"""The `famichat` program and its commands."""

from importlib import import_module
from importlib.metadata import version
from typing import Any, Final

import click

_COMMANDS: Final = {
    "serve": "operator.serve",
    "demo": "operator.demo",
    "migrate": "operator.database",
    "move": "operator.move",
    "doctor": "operator.doctor.command",
    "health": "operator.doctor.health",
    "service": "operator.service.command",
    "backup": "operator.backup",
    "restore": "operator.backup",
    "vault": "operator.vault",
    "user": "operator.user",
    "family": "operator.family",
    "invite": "operator.invite",
    "stats": "operator.stats",
    "sql": "operator.database",
    "shell": "operator.shell",
    "login": "member.messages",
    "logout": "member.messages",
    "conversations": "member.messages",
    "group": "member.group",
    "send": "member.messages",
    "edit": "member.changes",
    "delete": "member.changes",
    "react": "member.changes",
    "block": "member.contact",
    "unblock": "member.contact",
    "leave": "member.contact",
    "listen": "member.listen",
    "export": "member.export",
    "openapi": "operator.openapi",
}
"""The module of each command in `famichat.cli`, in the order of `--help`."""


class Program(click.Group):
    """A group of commands that prints expected errors as messages instead of tracebacks.

    A command's module is imported only when the command runs, so that `famichat send` starts without loading the
    server's modules.
    """

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command, and convert its expected errors to messages."""
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as fault:
            message = import_module("famichat.cli.expected").to_message(fault)
            if message is None:
                raise
            raise message from None

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands in the order of `--help`."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return a command; return None if the name is unknown."""
        module = _COMMANDS.get(cmd_name)
        if module is None:
            return None
        command: click.Command = getattr(import_module(f"famichat.cli.{module}"), cmd_name)
        return command


@click.group(cls=Program, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version("famichat"), message="%(version)s")
def program() -> None:
    """Famichat, a self-hosted family messenger.

    Configure the server with FAMICHAT_* variables or a famichat.toml file; see docs/running.md.
    """
