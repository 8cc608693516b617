"""`famichat stats`: how much a server holds."""

from pathlib import Path

import click

from famichat.cli.operator.administration import administration
from famichat.cli.options import data_dir_option, json_option, print_result, table
from famichat.settings import load_settings


@click.command()
@data_dir_option
@json_option
def stats(data_dir: Path | None, *, as_json: bool) -> None:
    """Show the number of users, families, signed-in devices, conversations, messages and open connections."""
    with administration(load_settings(data_dir=data_dir)) as call:
        result = call("stats")
    print_result(result, table(list(result.items())), as_json=as_json)
