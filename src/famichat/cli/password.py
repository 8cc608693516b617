"""How a command gets a password."""

import secrets
import sys

import click

password_stdin_option = click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
_GENERATED_BYTES = 12


def read_password(*, stdin: bool, generate: bool = False, confirm: bool = True) -> str:
    """Return a password: the first line of standard input, a generated one, or one typed at a hidden prompt."""
    if generate:
        return secrets.token_urlsafe(_GENERATED_BYTES)
    if stdin:
        return sys.stdin.readline().rstrip("\r\n")
    typed: str = click.prompt("Password", hide_input=True, confirmation_prompt=confirm, err=True)
    return typed
