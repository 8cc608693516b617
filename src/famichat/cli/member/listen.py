"""`famichat listen`: shows a conversation live."""

import json
from collections.abc import Callable
from typing import Any, Literal

import click

from famichat.cli.member.prompts import display_names, find_conversation, open_remote, signed_in
from famichat.cli.options import json_option, visible
from famichat.client import Client, SavedSession, Session
from famichat.client.conversation import Acknowledge

PrintEvent = Callable[[str, dict[str, Any]], None]


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
    with open_remote(url, token) as remote:
        target = find_conversation(remote, conversation)
        print_event = _print_json if as_json else _text_printer(display_names(remote))
        status = None if acknowledge == "nothing" else acknowledge
        try:
            remote.run(_listen(remote.source, target, print_event, history=history, acknowledge=status))
        except KeyboardInterrupt:
            click.echo(err=True)


async def _listen(
    source: Session | SavedSession,
    conversation: dict[str, Any],
    print_event: PrintEvent,
    *,
    history: int,
    acknowledge: Acknowledge | None,
) -> None:
    async with (
        Client(source) as client,
        client.conversation(conversation, history=history, acknowledge=acknowledge) as live,
    ):
        async for event in live.events():
            print_event(event.name, event.payload)


def _print_json(event: str, payload: dict[str, Any]) -> None:
    click.echo(json.dumps({"event": event, "payload": payload}, ensure_ascii=False))


def _text_printer(names: dict[str, str]) -> PrintEvent:
    def print_event(event: str, payload: dict[str, Any]) -> None:
        if event == "joined" and not payload["recovered"]:
            click.echo("The server was restored from a backup. Showing the end of its history.", err=True)
        if event in {"new_msg", "message_updated"}:
            click.echo(_line(payload, names.get(payload["user_id"], "former member")))

    return print_event


def _line(message: dict[str, Any], name: str) -> str:
    time = message["inserted_at"][11:16]
    edited = " (edited)" if message["edited_at"] else ""
    reactions = "".join(f"  {visible(each['emoji'])}" for each in message["reactions"] if not each["encryption_flag"])
    return f"{message['seq']:>5}  {time}  {visible(name)}: {visible(_body_text(message))}{edited}{reactions}"


def _body_text(message: dict[str, Any]) -> str:
    if message["body"] is None:
        return f"(cannot be decrypted, {message['error_code']})" if "error_code" in message else "(deleted)"
    return f"(encrypted, {message['key_id']})" if message["encryption_flag"] else str(message["body"])
