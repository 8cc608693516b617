"""Reads a password for a command."""

import secrets
import sys

import click

password_stdin_option = click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
_GENERATED_BYTES = 12


def read_password(*, stdin: bool, generate: bool = False, confirm: bool = True) -> str:
    """Return a password, by default from a hidden prompt.

    Args:
        stdin: whether to read the first line of standard input instead.
        generate: whether to generate a random password instead. Takes precedence over `stdin`.
        confirm: whether the prompt asks for the password twice.
    """
    if generate:
        return secrets.token_urlsafe(_GENERATED_BYTES)
    if stdin:
        return sys.stdin.readline().rstrip("\r\n")
    typed: str = click.prompt("Password", hide_input=True, confirmation_prompt=confirm, err=True)
    return typed
