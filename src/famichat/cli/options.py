"""Options shared by many commands, and the formatting of their output."""

import json
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

_CONTROLS = {"Cc", "Cf", "Cs"}
_HARMLESS = "\n\u200d"  # a zero-width joiner combines emoji, such as a family

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
data_dir_option = click.option(
    "--data-dir", type=click.Path(path_type=Path, file_okay=False), help="The server's data directory."
)


def print_result(value: Any, text: str, *, as_json: bool) -> None:
    """Print the result of a command.

    Args:
        value: the result for programs, printed as one line of JSON.
        text: the result for people.
        as_json: whether to print `value` instead of `text`.
    """
    click.echo(json.dumps(value, ensure_ascii=False) if as_json else text)


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, such as "1 message" or "2 messages"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def visible(text: str) -> str:
    """Replace control characters, such as terminal escapes, with `?` in untrusted text."""
    return "".join("?" if unicodedata.category(char) in _CONTROLS and char not in _HARMLESS else char for char in text)


def table(rows: Sequence[Sequence[object]]) -> str:
    """Format rows as aligned columns. Replaces control characters as `visible` does."""
    cells = [[visible(str(cell)) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in cells)
