"""`famichat serve`: runs the server."""

import io
import sys
from pathlib import Path
from urllib.parse import urlsplit

import click

from famichat.app.server import Ready, run
from famichat.app.worker_socket import WorkerId
from famichat.app.workers import WorkerEnded, run_workers
from famichat.cli.options import data_dir_option, json_option, print_result
from famichat.settings import load_settings
from famichat.typed_text import ip_of

PORT = click.IntRange(0, 65535)


@click.command()
@click.option("--host", help="The address to listen on (default: 127.0.0.1).")
@click.option("--port", type=PORT, help="The port to listen on (default: 4000; 0 picks a free port).")
@click.option(
    "--workers",
    type=click.IntRange(1, 64),
    default=1,
    help="The number of processes (default: 1; more with PostgreSQL).",
)
@click.option("--worker", hidden=True, help="Which of several workers this process is.")
@data_dir_option
@json_option
def serve(
    host: str | None, port: int | None, workers: int, worker: str | None, data_dir: Path | None, *, as_json: bool
) -> None:
    """Run the server until Ctrl-C or SIGTERM.

    The first start creates the secrets and the database, and prints the setup code for the first account. With --json,
    prints one line when the server is ready.
    """
    settings = load_settings(host=host, port=port, data_dir=data_dir)

    def on_ready(ready: Ready) -> None:
        result = {"url": ready.url, "addresses": ready.addresses, "setup_code": ready.setup_code}
        print_result(result, welcome(ready) + _qr_code(ready), as_json=as_json)

    if workers == 1:
        run(settings, on_ready, None if worker is None else WorkerId.parse(worker))
        return
    if settings.database_url is None or settings.database_url.startswith("sqlite:"):
        raise click.UsageError("SQLite has one writer; use PostgreSQL for several workers")
    try:
        run_workers(settings, workers, on_ready)
    except WorkerEnded as ended:
        sys.exit(ended.exit_code)


def welcome(ready: Ready) -> str:
    """Return what `serve` prints when the server is ready."""
    first, *others = ready.addresses
    where = f"Famichat is running at {first}"
    if others:
        where += f" (also at {', '.join(others)})"
    if ready.setup_code is None:
        return where
    return (
        f"{where}. No one has set it up yet.\n"
        f"Open it in a browser and enter this setup code, which works once: {ready.setup_code}"
    )


def _qr_code(ready: Ready) -> str:
    """Return a QR code of the first address for phones, or nothing if no phone reaches it or no terminal shows it."""
    if not sys.stdout.isatty() or not sys.stdout.encoding.lower().startswith("utf"):
        return ""
    host = urlsplit(ready.addresses[0]).hostname or ""
    address = ip_of(host)
    if host == "localhost" or (address is not None and address.is_loopback):
        return ""
    return "\n" + qr_code(ready.addresses[0])


def qr_code(url: str) -> str:
    """Draw a QR code (ISO/IEC 18004) with block characters, for a camera in front of a terminal."""
    import segno  # noqa: PLC0415 - only a terminal needs it

    drawing = io.StringIO()
    segno.make_qr(url, error="l").terminal(drawing, compact=True, border=2)
    return drawing.getvalue()
