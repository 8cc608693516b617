"""`famichat move`: moves all data from SQLite to PostgreSQL, or back."""

from pathlib import Path

import click

from famichat.cli.operator.opened_data import open_for_writing
from famichat.cli.options import counted, data_dir_option, json_option, print_result
from famichat.settings import load_settings, valid_database_url
from famichat.storage.database import Database
from famichat.storage.move import move as move_data
from famichat.storage.opening import problems_named


def _valid(_context: click.Context, _parameter: click.Parameter, url: str) -> str:
    try:
        return valid_database_url(url)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


@click.command()
@click.option(
    "--to",
    "url",
    required=True,
    callback=_valid,
    envvar="FAMICHAT_MOVE_TO",
    help="The new database: postgresql://... or sqlite:///... Use FAMICHAT_MOVE_TO for a URL with a password.",
)
@data_dir_option
@json_option
def move(url: str, data_dir: Path | None, *, as_json: bool) -> None:
    """Move all data to another database. Stop the server first; keys and files stay where they are.

    If it is interrupted, run it again: it continues. The old database is kept, but a server refuses to start with it.
    """
    with open_for_writing(load_settings(data_dir=data_dir), stopped=True, accept_moved=True) as data:
        target = Database(url)
        try:
            with problems_named():
                digests = move_data(data.database, target, lambda _table, _rows: None)
        finally:
            target.close()
    rows = sum(digest.rows for digest in digests.values())
    moved = f"Moved {counted(rows, 'row')} of {counted(len(digests), 'table')}"
    sentence = f"{moved}. Set FAMICHAT_DATABASE_URL to the new database and start."
    print_result({"tables": len(digests), "rows": rows}, sentence, as_json=as_json)
