"""`famichat demo`: a temporary server with a demo family."""

import contextlib
import json
import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from famichat.accounts.sign_in.token import Tokens
from famichat.app.server import Ready, run
from famichat.cli.operator.demo_family import ENCRYPTED_GROUP, HOUSEHOLDS, Demo, load_or_create_demo
from famichat.cli.operator.opened_data import open_for_writing
from famichat.cli.operator.serve import PORT
from famichat.cli.options import json_option, print_result, table
from famichat.settings import Settings, load_settings


@click.command()
@click.option("--port", type=PORT, help="The port to listen on (default: 4000; 0 picks a free port).")
@click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False),
    help="Keep the demo's data in this directory. Deleted on exit by default.",
)
@json_option
def demo(port: int | None, data_dir: Path | None, *, as_json: bool) -> None:
    """Run a server with a demo family until Ctrl-C.

    With --json, prints one line when it is ready: the address, the users and their conversations.
    """
    with _stoppable(), _directory(data_dir) as directory:
        settings = load_settings(
            port=port,
            data_dir=directory,
            database_url=f"sqlite:///{directory / 'famichat.db'}",
            rate_limits="off",
            test_endpoints=True,
            log_level=os.environ.get("FAMICHAT_LOG_LEVEL", "WARNING"),
        )
        with open_for_writing(settings) as data:
            people = load_or_create_demo(data, directory / "demo.json")
            tokens = Tokens(data.secret_key)

        def on_ready(ready: Ready) -> None:
            token = tokens.issue(people.users[0].id, people.viewer_device_id)
            print_result(people.view(ready.url), _welcome(ready.url, people, token, settings), as_json=as_json)

        run(settings, on_ready)


@contextmanager
def _stoppable() -> Iterator[None]:
    """Clean up even if SIGTERM arrives before the server handles it, or the terminal is closed."""
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as nohup asks
        signal.signal(signal.SIGHUP, lambda *_: signal.raise_signal(signal.SIGTERM))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _directory(chosen: Path | None) -> Iterator[Path]:
    with contextlib.ExitStack() as stack:
        yield (
            chosen.absolute() if chosen else Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="famichat-")))
        )


def _encrypted(people: Demo) -> str:
    if not people.encrypted_group:
        return ""
    _, *members = (user.username for user in people.users[:-1])
    return f"""
"{ENCRYPTED_GROUP}", the group of {", ".join(members)}, accepts only end-to-end encrypted messages.
"""


def _welcome(url: str, people: Demo, token: str, settings: Settings) -> str:
    names = {family["id"]: family["name"] for family in people.families}
    about = {name: who for people_there in HOUSEHOLDS.values() for name, who in people_there.items()}
    sign_ins = [("  user", "password", "family", "")]
    sign_ins += [
        (f"  {user.username}", user.password, names[user.family_ids[0]], about[user.username]) for user in people.users
    ]
    conversations = [(f"  {kind}", id_) for kind, id_ in people.conversations.items()]
    broadcast = {
        "conversation_type": "family",
        "conversation_id": people.conversations["family"],
        "body": "Hello from curl",
    }
    return f"""\
Famichat is running at {url}

Sign in as any of these users. Use two browsers to be two of them at once:
{table(sign_ins)}

The conversations of {people.users[0].username}, one of each type:
{table(conversations)}
{_encrypted(people)}
Watch live events (the link works for 15 minutes; signing in gives you a new token):
  {url}/events#token={token}&topic=message:family:{people.conversations["family"]}

Send a message from the command line:
  curl -X POST {url}/api/v1/test/broadcast \\
    -H 'authorization: Bearer {token}' -H 'content-type: application/json' \\
    -d '{json.dumps(broadcast)}'

The data is in {settings.data_dir}. Press Ctrl-C to stop the demo."""
