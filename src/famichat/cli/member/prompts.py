"""Connects a command to a server as a signed-in user, and finds conversations and people by name."""

import os
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec

import click

from famichat.cli.member.remote import Remote
from famichat.cli.refusal import Refused
from famichat.client import SavedSession, Session

P = ParamSpec("P")

DEFAULT_URL = "http://127.0.0.1:4000"


def signed_in(command: Callable[P, None]) -> Callable[P, None]:
    """Add the options `--url` and `--token`, which select the server and the user, to a command."""

    @click.option("--url", envvar="FAMICHAT_URL", help="The server's address (default: the one you signed in to).")
    @click.option("--token", envvar="FAMICHAT_TOKEN", help="An access token to use instead of the saved session.")
    @wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> None:
        command(*args, **kwargs)

    return wrapped


def saved_session() -> SavedSession:
    """Return the file in which `famichat login` saves the session (XDG Base Directory Specification)."""
    home = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return SavedSession(Path(home) / "famichat" / "session.json")


def open_remote(url: str | None, token: str | None) -> Remote:
    """Return a connection to the server for a `with` statement.

    Args:
        url: the server's base URL. Without a token it must be that of the saved session, which is the default.
        token: an access token to use instead of the saved session.

    Raises:
        Refused: `unauthorized` if there is no token, and no saved session for this server.
    """
    if token is not None:
        return Remote(Session((url or DEFAULT_URL).rstrip("/"), token))
    remote = Remote(saved_session()) if saved_session().path.exists() else None
    if remote is None or (url is not None and url.rstrip("/") != remote.session.url):
        raise Refused("unauthorized", "Sign in first with `famichat login`")
    return remote


def find_conversation(remote: Remote, wanted: str) -> dict[str, Any]:
    """Return the conversation with this id, topic, name or type.

    Raises:
        Refused: `not_found` if there is none, or `ambiguous` if several have this name or type.
    """
    return remote.run(remote.client.find_conversation(wanted))


def visible_people(remote: Remote) -> list[dict[str, Any]]:
    """Return everyone who shares a family or a conversation with the user, including the user."""
    return remote.run(remote.client.people())


def display_names(remote: Remote) -> dict[str, str]:
    """Return the display name, or else the username, of every person the user can see, by user id."""
    return {each["user_id"]: each["display_name"] or each["username"] for each in visible_people(remote)}


def find_person(remote: Remote, wanted: str) -> str:
    """Return the id of the person with this username, display name or id. If several match, the first one.

    Raises:
        Refused: `not_found` if the user can see no such person.
    """
    names = ("user_id", "username", "display_name")
    found: list[str] = [each["user_id"] for each in visible_people(remote) if wanted in {each[name] for name in names}]
    if not found:
        raise Refused("not_found", f"No one in your families is called {wanted}")
    return found[0]
