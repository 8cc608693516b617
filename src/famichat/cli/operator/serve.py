"""`famichat serve`: runs the server."""

from pathlib import Path

import click

from famichat.app.server import Ready, run
from famichat.cli.options import data_dir_option, json_option, print_result
from famichat.settings import load_settings

PORT = click.IntRange(0, 65535)


@click.command()
@click.option("--host", help="The address to listen on (default: 127.0.0.1).")
@click.option("--port", type=PORT, help="The port to listen on (default: 4000; 0 picks a free port).")
@data_dir_option
@json_option
def serve(host: str | None, port: int | None, data_dir: Path | None, *, as_json: bool) -> None:
    """Run the server until Ctrl-C or SIGTERM.

    The first start creates the secrets and the database, and prints the setup code for the first account. With --json,
    prints one line when the server is ready.
    """
    settings = load_settings(host=host, port=port, data_dir=data_dir)

    def on_ready(ready: Ready) -> None:
        print_result({"url": ready.url, "setup_code": ready.setup_code}, _welcome(ready), as_json=as_json)

    run(settings, on_ready)


def _welcome(ready: Ready) -> str:
    if ready.setup_code is None:
        return f"Famichat is running at {ready.url}"
    return (
        f"Famichat is running at {ready.url}. No one has set it up yet.\n"
        f"Open it in a browser and enter this setup code, which works once: {ready.setup_code}"
    )
