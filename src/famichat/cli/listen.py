"""`famichat listen`: show a conversation live."""

import json
from collections.abc import Callable
from typing import Any, Literal

import click

from famichat.cli.options import json_option, visible
from famichat.cli.prompts import find_conversation, names_of, remote_of, signed_in
from famichat.client import Client, SavedSession, Session
from famichat.client.conversation import Acknowledge

Tell = Callable[[str, dict[str, Any]], None]


@click.command()
@click.argument("conversation")
@click.option(
    "--history", type=click.IntRange(0, 200), default=10, show_default=True, help="How many earlier messages to show."
)
@click.option(
    "--acknowledge",
    type=click.Choice(["delivered", "read", "nothing"]),
    default="delivered",
    show_default=True,
    help="Which receipt to send for the messages shown.",
)
@signed_in
@json_option
def listen(
    conversation: str,
    history: int,
    acknowledge: Literal["delivered", "read", "nothing"],
    url: str | None,
    token: str | None,
    *,
    as_json: bool,
) -> None:
    """Show messages in CONVERSATION live until Ctrl-C. After a disconnect, missed messages come first.

    With --json, prints one event per line: {"event", "payload"}.
    """
    with remote_of(url, token) as remote:
        found = find_conversation(remote, conversation)
        tell = _tell_program if as_json else _tell_person(names_of(remote))
        status = None if acknowledge == "nothing" else acknowledge
        try:
            remote.run(_listen(remote.source, found, tell, history=history, acknowledge=status))
        except KeyboardInterrupt:
            click.echo(err=True)


async def _listen(
    source: Session | SavedSession,
    conversation: dict[str, Any],
    tell: Tell,
    *,
    history: int,
    acknowledge: Acknowledge | None,
) -> None:
    async with (
        Client(source) as client,
        client.conversation(conversation, history=history, acknowledge=acknowledge) as live,
    ):
        async for event in live.events():
            tell(event.name, event.payload)


def _tell_program(event: str, payload: dict[str, Any]) -> None:
    click.echo(json.dumps({"event": event, "payload": payload}, ensure_ascii=False))


def _tell_person(names: dict[str, str]) -> Tell:
    def tell(event: str, payload: dict[str, Any]) -> None:
        if event == "joined" and not payload["recovered"]:
            click.echo("The server was restored from a backup. Showing the end of its history.", err=True)
        if event in {"new_msg", "message_updated"}:
            click.echo(_line(payload, names.get(payload["user_id"], "former member")))

    return tell


def _line(message: dict[str, Any], name: str) -> str:
    time = message["inserted_at"][11:16]
    edited = " (edited)" if message["edited_at"] else ""
    signs = "".join(f"  {visible(each['emoji'])}" for each in message["reactions"] if not each["encryption_flag"])
    return f"{message['seq']:>5}  {time}  {visible(name)}: {visible(_said(message))}{edited}{signs}"


def _said(message: dict[str, Any]) -> str:
    if message["body"] is None:
        return f"(cannot be decrypted, {message['error_code']})" if "error_code" in message else "(deleted)"
    return f"(encrypted, {message['key_id']})" if message["encryption_flag"] else str(message["body"])
