"""Options that many commands share, and how a command answers."""

import json
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

_CONTROLS = {"Cc", "Cf", "Cs"}
_HARMLESS = "\n\u200d"  # a zero-width joiner makes a family of three people

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
data_dir_option = click.option(
    "--data-dir", type=click.Path(path_type=Path, file_okay=False), help="The server's data directory."
)


def answer(value: Any, text: str, *, as_json: bool) -> None:
    """Print what a command has found: for a program as one line of JSON, for a person as text."""
    click.echo(json.dumps(value, ensure_ascii=False) if as_json else text)


def visible(text: str) -> str:
    """Somebody else's words, fit for a terminal: controls, which could move the cursor or the text, become `?`."""
    return "".join("?" if unicodedata.category(char) in _CONTROLS and char not in _HARMLESS else char for char in text)


def table(rows: Sequence[Sequence[object]]) -> str:
    """Rows for the eye, in columns."""
    cells = [[visible(str(cell)) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in cells)
