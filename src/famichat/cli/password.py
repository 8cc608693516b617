"""Where a command takes a password from."""

import secrets
import sys

import click

password_stdin_option = click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
_GENERATED_BYTES = 12


def read_password(*, stdin: bool, generate: bool = False, confirm: bool = True) -> str:
    """A password: the first line of standard input, a fresh one, or what somebody types unseen."""
    if generate:
        return secrets.token_urlsafe(_GENERATED_BYTES)
    if stdin:
        return sys.stdin.readline().rstrip("\r\n")
    typed: str = click.prompt("Password", hide_input=True, confirmation_prompt=confirm, err=True)
    return typed
