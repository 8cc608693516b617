"""`famichat block`, `unblock` and `leave`: end contact with a person from a terminal."""

import click

from famichat.cli.member.prompts import find_conversation, find_person, open_remote, signed_in
from famichat.cli.options import json_option, print_result


@click.command()
@click.argument("person")
@signed_in
@json_option
def block(person: str, url: str | None, token: str | None, *, as_json: bool) -> None:
    """Block PERSON: neither of you can send the other one direct messages. PERSON is not told."""
    with open_remote(url, token) as remote:
        user_id = find_person(remote, person)
        remote.request("PUT", f"/me/blocks/{user_id}")
    print_result({"blocked": user_id}, f"Blocked {person}.", as_json=as_json)


@click.command()
@click.argument("person")
@signed_in
@json_option
def unblock(person: str, url: str | None, token: str | None, *, as_json: bool) -> None:
    """Unblock PERSON."""
    with open_remote(url, token) as remote:
        user_id = find_person(remote, person)
        remote.request("DELETE", f"/me/blocks/{user_id}")
    print_result({"unblocked": user_id}, f"Unblocked {person}.", as_json=as_json)


@click.command()
@click.argument("conversation")
@signed_in
@json_option
def leave(conversation: str, url: str | None, token: str | None, *, as_json: bool) -> None:
    """Leave CONVERSATION, which is a direct conversation or a group."""
    with open_remote(url, token) as remote:
        user_id = remote.get("/me")["id"]
        conversation_id = find_conversation(remote, conversation)["id"]
        remote.request("DELETE", f"/conversations/{conversation_id}/members/{user_id}")
    print_result({"left": conversation_id}, "You left the conversation.", as_json=as_json)
