"""Options that many commands share, and the output of a command."""

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


def answer(value: Any, text: str, *, as_json: bool) -> None:
    """Print the result of a command: one line of JSON for programs, or text for people."""
    click.echo(json.dumps(value, ensure_ascii=False) if as_json else text)


def visible(text: str) -> str:
    """Replace control characters, which could move the cursor, by `?` in text from other people."""
    return "".join("?" if unicodedata.category(char) in _CONTROLS and char not in _HARMLESS else char for char in text)


def table(rows: Sequence[Sequence[object]]) -> str:
    """Format rows as aligned columns."""
    cells = [[visible(str(cell)) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in cells)
