"""`famichat edit`, `delete` and `react`: change messages from a terminal."""

from typing import Any

import click

from famichat.cli.member.prompts import find_conversation, open_remote, signed_in
from famichat.cli.member.remote import Remote
from famichat.cli.options import json_option, print_result
from famichat.cli.refusal import Refused


@click.command()
@click.argument("conversation")
@click.argument("message")
@click.argument("body")
@signed_in
@json_option
def edit(conversation: str, message: str, body: str, url: str | None, token: str | None, *, as_json: bool) -> None:
    """Edit your MESSAGE in CONVERSATION to say BODY. MESSAGE is its number in `famichat listen`, or its id."""
    with open_remote(url, token) as remote:
        changed = remote.request("PATCH", _path(remote, conversation, message), {"body": body})
    print_result(changed, "Edited.", as_json=as_json)


@click.command()
@click.argument("conversation")
@click.argument("message")
@signed_in
@json_option
def delete(conversation: str, message: str, url: str | None, token: str | None, *, as_json: bool) -> None:
    """Delete MESSAGE from CONVERSATION: your own, or any in a group where you are an admin. See `famichat edit`."""
    with open_remote(url, token) as remote:
        remote.request("DELETE", _path(remote, conversation, message))
    print_result({"deleted": True}, "Deleted.", as_json=as_json)


@click.command()
@click.argument("conversation")
@click.argument("message")
@click.argument("emoji", required=False)
@signed_in
@json_option
def react(
    conversation: str, message: str, emoji: str | None, url: str | None, token: str | None, *, as_json: bool
) -> None:
    """React to MESSAGE in CONVERSATION with EMOJI, or remove your reaction if omitted. See `famichat edit`."""
    with open_remote(url, token) as remote:
        path = f"{_path(remote, conversation, message)}/reaction"
        changed = remote.request("DELETE", path) if emoji is None else remote.request("PUT", path, {"emoji": emoji})
    print_result(changed, "Reacted." if emoji else "Reaction removed.", as_json=as_json)


def _path(remote: Remote, conversation: str, message: str) -> str:
    messages = f"/conversations/{find_conversation(remote, conversation)['id']}/messages"
    return f"{messages}/{_id_at(remote, messages, int(message)) if message.isdecimal() else message}"


def _id_at(remote: Remote, messages: str, seq: int) -> Any:
    found = remote.get(messages, after_seq=max(seq - 1, 0), limit=1)["messages"]
    if not found or found[0]["seq"] != seq:
        raise Refused("not_found")
    return found[0]["message_id"]
