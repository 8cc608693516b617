"""The terminal client: sign in to a running server, say something, and listen."""

import asyncio
import json
import platform
import sys
import uuid
from collections.abc import Callable
from typing import Any, Literal

import click

from famichat.cli.listening import Listener
from famichat.cli.options import answer, json_option, table, visible
from famichat.cli.password import password_stdin_option, read_password
from famichat.cli.prompts import DEFAULT_URL, find_conversation, names_of, remote_of, signed_in
from famichat.cli.refusal import Refused
from famichat.cli.remote import Remote
from famichat.cli.saved_session import SavedSession

_TRIES = 4


def _envelope(_ctx: click.Context, _option: click.Parameter, given: str | None) -> dict[str, Any]:
    if given is None:
        return {}
    try:
        read = json.loads(given)
    except ValueError:
        read = None
    if not isinstance(read, dict):
        raise click.BadParameter('must be a JSON object, such as {"encryption_version": "v1", "key_id": "k"}')
    return {"encryption_flag": True, **read}


@click.command()
@click.argument("username")
@click.option("--url", envvar="FAMICHAT_URL", default=DEFAULT_URL, show_default=True, help="The server.")
@click.option("--device-name", default=f"Terminal on {platform.node() or 'a computer'}"[:64], help="For your list.")
@password_stdin_option
@json_option
def login(username: str, url: str, device_name: str, *, password_stdin: bool, as_json: bool) -> None:
    """Sign in as USERNAME, or an e-mail address, and remember it."""
    password = read_password(stdin=password_stdin, confirm=False)
    session = Remote.sign_in(url, username, password, device_name).session
    saved = SavedSession.of_this_user()
    saved.save(session)
    told = {"url": session.url, "user": {"id": session.user_id, "username": session.username}}
    answer(told, f"Signed in at {session.url} as {session.username}; kept in {saved.path}.", as_json=as_json)


@click.command()
@json_option
def logout(*, as_json: bool) -> None:
    """Sign this terminal out, here and at the server."""
    saved = SavedSession.of_this_user()
    session = saved.load()
    if session is None:
        raise Refused("unauthorized", "Nobody is signed in")
    with remote_of(session.url, None) as remote:
        try:
            remote.ask("DELETE", "/sessions/current")
        except Refused as refused:
            if refused.code != "invalid_token":  # that one is signed out already
                raise
    saved.forget()
    answer({"signed_out": True}, "Signed out.", as_json=as_json)


@click.command()
@signed_in
@json_option
def conversations(url: str | None, token: str | None, *, as_json: bool) -> None:
    """List your conversations; the most recent first."""
    with remote_of(url, token) as remote:
        found = remote.get("/conversations")["conversations"]
    rows = [(each["type"], each["id"], each["name"] or "", f"{each['unread']} unread") for each in found]
    answer({"conversations": found}, table([("type", "id", "name", ""), *rows]), as_json=as_json)


@click.command()
@click.argument("conversation")
@click.argument("body", required=False)
@click.option("--client-id", help="Sent again with the same one, a message is stored once; made up if not given.")
@click.option("--envelope", callback=_envelope, help="How BODY is encrypted, in JSON; see docs/encryption.md.")
@signed_in
@json_option
def send(
    conversation: str,
    body: str | None,
    client_id: str | None,
    envelope: dict[str, Any],
    url: str | None,
    token: str | None,
    *,
    as_json: bool,
) -> None:
    """Say BODY, or what standard input says, in CONVERSATION: an id, a name, or a type that you have one of."""
    text = body if body is not None else sys.stdin.read().rstrip("\n")
    message = {**envelope, "body": text, "client_id": client_id or str(uuid.uuid4())}
    with remote_of(url, token) as remote:
        sent = _persistently(
            remote, f"/conversations/{find_conversation(remote, conversation)['id']}/messages", message
        )
    answer(sent, f"{sent['seq']}", as_json=as_json)


@click.command()
@click.argument("conversation")
@click.option("--history", type=click.IntRange(0, 200), default=10, show_default=True, help="Earlier messages to show.")
@click.option(
    "--acknowledge",
    type=click.Choice(["delivered", "read", "nothing"]),
    default="delivered",
    show_default=True,
    help="What the others are told about the messages shown here.",
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
    """Show what is said in CONVERSATION, live, until Ctrl-C; what was missed meanwhile comes first after a break.

    With --json, each event is a line: {"event", "payload"}.
    """
    with remote_of(url, token) as remote:
        found = find_conversation(remote, conversation)
        tell = _tell_program if as_json else _tell_person(names_of(remote))
        topic = f"message:{found['type']}:{found['id']}"
        status = None if acknowledge == "nothing" else acknowledge
        listener = Listener(remote, topic, tell, history=history, status=status)
        try:
            asyncio.run(listener.follow())
        except KeyboardInterrupt:
            click.echo(err=True)


def _persistently(remote: Remote, path: str, message: dict[str, Any]) -> dict[str, Any]:
    """Send; again if no answer came. The client id makes sure that it is stored once all the same."""
    for _ in range(_TRIES - 1):
        try:
            sent: dict[str, Any] = remote.post(path, message)
        except Refused as refused:
            if refused.code not in {"unreachable", "unavailable"}:
                raise
        else:
            return sent
    last: dict[str, Any] = remote.post(path, message)
    return last


def _tell_program(event: str, payload: dict[str, Any]) -> None:
    click.echo(json.dumps({"event": event, "payload": payload}, ensure_ascii=False))


def _tell_person(names: dict[str, str]) -> Callable[[str, dict[str, Any]], None]:
    def tell(event: str, payload: dict[str, Any]) -> None:
        if event == "joined" and not payload["recovered"]:
            click.echo("The server's history is another one since a restore; here it is from its end.", err=True)
        if event in {"new_msg", "message_updated"}:
            click.echo(_line(payload, names.get(payload["user_id"], "somebody")))

    return tell


def _line(message: dict[str, Any], name: str) -> str:
    time = message["inserted_at"][11:16]
    edited = " (edited)" if message["edited_at"] else ""
    signs = "".join(f"  {visible(each['emoji'])}" for each in message["reactions"] if not each["encryption_flag"])
    return f"{message['seq']:>5}  {time}  {visible(name)}: {visible(_said(message))}{edited}{signs}"


def _said(message: dict[str, Any]) -> str:
    if message["body"] is None:
        return f"(does not open, {message['error_code']})" if "error_code" in message else "(deleted)"
    return f"(encrypted, {message['key_id']})" if message["encryption_flag"] else str(message["body"])
