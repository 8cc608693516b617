"""Every command of the program."""

from importlib.metadata import version
from typing import Any

import click

from famichat.cli.backup import backup, restore
from famichat.cli.changes import delete, edit, react
from famichat.cli.database import doctor, migrate, shell, sql
from famichat.cli.demo import demo
from famichat.cli.export import export
from famichat.cli.family import family
from famichat.cli.group import group
from famichat.cli.invite import invite
from famichat.cli.messages import conversations, listen, login, logout, send
from famichat.cli.refusal import in_words
from famichat.cli.serve import serve
from famichat.cli.user import user
from famichat.cli.vault import vault


class Program(click.Group):
    """A group of commands whose expected errors are told in words."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that was asked for."""
        try:
            return super().invoke(ctx)
        except Exception as fault:
            told = in_words(fault)
            if told is None or isinstance(fault, click.ClickException):
                raise
            raise told from None

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order in which people meet them."""
        return list(self.commands)


@click.group(cls=Program, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version("famichat"), message="%(version)s")
def program() -> None:
    """A messenger that a family runs for itself.

    The server is configured by FAMICHAT_* variables or a famichat.toml; see docs/running.md.
    """


for command in (serve, demo, migrate, doctor, backup, restore, vault, user, family, invite, sql, shell):
    program.add_command(command)
for command in (login, logout, conversations, group, send, edit, delete, react, listen, export):
    program.add_command(command)
