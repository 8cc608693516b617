"""`famichat serve`: the server."""

from pathlib import Path

import click

from famichat.app.server import Ready, run
from famichat.cli.options import answer, data_dir_option, json_option
from famichat.settings import load_settings

PORT = click.IntRange(0, 65535)


@click.command()
@click.option("--host", help="The address to listen on; 127.0.0.1 by default.")
@click.option("--port", type=PORT, help="The port to listen on; 4000 by default, 0 for any free one.")
@data_dir_option
@json_option
def serve(host: str | None, port: int | None, data_dir: Path | None, *, as_json: bool) -> None:
    """Run the server until SIGINT or SIGTERM.

    The first start makes the secrets and the database, and prints a code with which the first person comes in. With
    --json, one line on standard output says when the server is ready.
    """
    settings = load_settings(host=host, port=port, data_dir=data_dir)

    def tell(ready: Ready) -> None:
        answer({"url": ready.url, "setup_code": ready.setup_code}, _welcome(ready), as_json=as_json)

    run(settings, tell)


def _welcome(ready: Ready) -> str:
    if ready.setup_code is None:
        return f"Famichat is at {ready.url}"
    return (
        f"Famichat is at {ready.url}, and nobody lives here yet.\n"
        f"Open it and begin with this code, which works once: {ready.setup_code}"
    )
