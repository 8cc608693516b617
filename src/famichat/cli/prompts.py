"""Who asks which server from a terminal, and which conversation or person is meant."""

import os
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec

import click

from famichat.cli.refusal import Refused
from famichat.cli.remote import Remote
from famichat.client import SavedSession, Session

P = ParamSpec("P")

DEFAULT_URL = "http://127.0.0.1:4000"


def signed_in(command: Callable[P, None]) -> Callable[P, None]:
    """Give a command the options that say who asks which server."""

    @click.option("--url", envvar="FAMICHAT_URL", help="The server's address (default: the one you signed in to).")
    @click.option("--token", envvar="FAMICHAT_TOKEN", help="An access token to use instead of the saved session.")
    @wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> None:
        command(*args, **kwargs)

    return wrapped


def saved_session() -> SavedSession:
    """The file in which `famichat login` stores the session (XDG Base Directory Specification)."""
    home = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return SavedSession(Path(home) / "famichat" / "session.json")


def remote_of(url: str | None, token: str | None) -> Remote:
    """The server, as the user of this token or of the saved session. Use it with `with`.

    Raises:
        Refused: `unauthorized` if there is neither.
    """
    if token is not None:
        return Remote(Session((url or DEFAULT_URL).rstrip("/"), token))
    remote = Remote(saved_session()) if saved_session().path.exists() else None
    if remote is None or (url is not None and url.rstrip("/") != remote.session.url):
        raise Refused("unauthorized", "Sign in first with `famichat login`")
    return remote


def find_conversation(remote: Remote, wanted: str) -> dict[str, Any]:
    """The conversation with this id, topic, name or type.

    Raises:
        Refused: `not_found`, or `ambiguous` if several have this name or type.
    """
    return remote.run(remote.client.find_conversation(wanted))


def people_of(remote: Remote) -> list[dict[str, Any]]:
    """Everyone who shares a family or a conversation with the user, and the user."""
    return remote.run(remote.client.people())


def names_of(remote: Remote) -> dict[str, str]:
    """What everybody whom one sees is called, by id."""
    return {each["user_id"]: each["display_name"] or each["username"] for each in people_of(remote)}


def find_person(remote: Remote, wanted: str) -> str:
    """The id of the one person whom you see who goes by this username, name or id.

    Raises:
        Refused: there is nobody, as far as you can see.
    """
    names = ("user_id", "username", "display_name")
    found: list[str] = [each["user_id"] for each in people_of(remote) if wanted in {each[name] for name in names}]
    if not found:
        raise Refused("not_found", f"No one in your families is called {wanted}")
    return found[0]
