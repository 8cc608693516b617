"""`famichat export`: exports everything a user can see as JSON Lines. `docs/export.md` describes the format."""

import json
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import product
from typing import Any, TypeVar

import click

from famichat.cli.member.prompts import find_conversation, open_remote, signed_in
from famichat.cli.member.remote import Remote
from famichat.cli.refusal import Refused
from famichat.storage.base import now, rfc3339

_T = TypeVar("_T")

FORMAT = 1
_PAUSE_SECONDS = 1.0
_PERSON_FIELDS = ("user_id", "username", "display_name", "color")
# (hidden, archived). A new message unhides a conversation, so list hidden ones first: one that moves between two
# requests is then listed twice instead of being missed.
_FILTERS = tuple(product((True, False), repeat=2))


@click.command()
@click.argument("conversation", required=False)
@signed_in
def export(conversation: str | None, url: str | None, token: str | None) -> None:
    """Export CONVERSATION, or everything you can see, to standard output, one JSON value per line.

    The last line marks the end. If it is missing, the export is incomplete.
    """
    with open_remote(url, token) as remote:
        for record in records(remote, conversation):
            click.echo(json.dumps(record))  # as ASCII, because some parsers treat U+2028 as the end of a line


def records(remote: Remote, conversation: str | None = None) -> Iterator[dict[str, Any]]:
    """Yield the records of an export, in order.

    Args:
        remote: the connection of the user whose data is exported.
        conversation: the id, topic, name or type of the only conversation to export. By default all are exported,
            including hidden and archived ones.

    Raises:
        Refused: the server refused a request; with its error code.
    """
    me = _get(remote, "/me")
    yield {"record": "export", "format": FORMAT, "exported_at": rfc3339(now()), "url": remote.session.url, "user": me}
    for each in _get(remote, "/people")["people"]:
        yield {"record": "person", **{name: each[name] for name in _PERSON_FIELDS}}
    chosen = _all_conversations(remote) if conversation is None else [find_conversation(remote, conversation)]
    count = 0
    for each in chosen:
        yield {"record": "conversation", **each}
        for message in _messages(remote, each["id"]):
            count += 1
            yield {"record": "message", **message}
    yield {"record": "end", "conversations": len(chosen), "messages": count}


def _all_conversations(remote: Remote) -> list[dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for hidden, archived in _FILTERS:
        listed = _patiently(partial(_conversations, remote, hidden=hidden, archived=archived))
        found.update({each["id"]: each for each in listed})
    return list(found.values())


def _conversations(remote: Remote, *, hidden: bool, archived: bool) -> list[dict[str, Any]]:
    return remote.run(remote.client.conversations(hidden=hidden, archived=archived))


def _messages(remote: Remote, conversation_id: str) -> Iterator[dict[str, Any]]:
    page: dict[str, Any] = {"has_more": True}
    after = 0
    while page["has_more"]:
        page = _get(remote, f"/conversations/{conversation_id}/messages", after_seq=after)
        yield from page["messages"]
        after = page["messages"][-1]["seq"] if page["messages"] else after


def _get(remote: Remote, path: str, **query: Any) -> Any:
    return _patiently(partial(remote.get, path, **query))


def _patiently(read: Callable[[], _T]) -> _T:
    """Call `read`; wait and retry while the server limits the rate."""
    while True:
        try:
            return read()
        except Refused as refused:
            if refused.code != "rate_limited":
                raise
            time.sleep(_PAUSE_SECONDS)
