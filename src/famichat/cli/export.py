"""`famichat export`: what somebody can see, as lines of JSON that keep every field; `docs/export.md` describes them."""

import json
import time
from collections.abc import Iterator
from itertools import product
from typing import Any

import click

from famichat.cli.prompts import find_conversation, remote_of, signed_in
from famichat.cli.refusal import Refused
from famichat.cli.remote import Remote
from famichat.storage.base import now, rfc3339

FORMAT = 1
_PAUSE_SECONDS = 1.0
_OF_A_PERSON = ("user_id", "username", "display_name", "color")
# Those that may be shown again meanwhile come first, so that none is missed between two questions.
_SHELVES = tuple(product((True, False), repeat=2))


@click.command()
@click.argument("conversation", required=False)
@signed_in
def export(conversation: str | None, url: str | None, token: str | None) -> None:
    """Export CONVERSATION, or everything you can see, to standard output, one JSON value per line.

    The last line marks the end. If it is missing, the export is incomplete.
    """
    with remote_of(url, token) as remote:
        for record in records(remote, conversation):
            click.echo(json.dumps(record))  # in ASCII: a U+2028 in a message ends a line for some readers


def records(remote: Remote, conversation: str | None = None) -> Iterator[dict[str, Any]]:
    """What goes into an export, in order.

    Args:
        remote: the server, asked by the person whose export it is.
        conversation: the only one; by default all of them, also those that are hidden or archived.

    Raises:
        Refused: with the server's code.
    """
    me = _get(remote, "/me")
    yield {"record": "export", "format": FORMAT, "exported_at": rfc3339(now()), "url": remote.session.url, "user": me}
    for each in _get(remote, "/people")["people"]:
        yield {"record": "person", **{name: each[name] for name in _OF_A_PERSON}}
    chosen = _all(remote) if conversation is None else [find_conversation(remote, conversation)]
    count = 0
    for each in chosen:
        yield {"record": "conversation", **each}
        for message in _messages(remote, each["id"]):
            count += 1
            yield {"record": "message", **message}
    yield {"record": "end", "conversations": len(chosen), "messages": count}


def _all(remote: Remote) -> list[dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for hidden, archived in _SHELVES:
        shelf = _get(remote, "/conversations", hidden=hidden, archived=archived)["conversations"]
        found.update({each["id"]: each for each in shelf})
    return list(found.values())


def _messages(remote: Remote, conversation_id: str) -> Iterator[dict[str, Any]]:
    page: dict[str, Any] = {"has_more": True}
    after = 0
    while page["has_more"]:
        page = _get(remote, f"/conversations/{conversation_id}/messages", after_seq=after)
        yield from page["messages"]
        after = page["messages"][-1]["seq"] if page["messages"] else after


def _get(remote: Remote, path: str, **query: Any) -> Any:
    """Ask, and when that was too often, wait and ask again."""
    while True:
        try:
            return remote.get(path, **query)
        except Refused as refused:
            if refused.code != "rate_limited":
                raise
            time.sleep(_PAUSE_SECONDS)
