"""Who asks which server from a terminal, and which conversation or person is meant."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, ParamSpec

import click

from famichat.cli.refusal import Refused
from famichat.cli.remote import Remote
from famichat.cli.saved_session import SavedSession, SignedIn

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


@contextmanager
def remote_of(url: str | None, token: str | None) -> Iterator[Remote]:
    """The server, asked by whoever the options name, or by whoever is signed in.

    Raises:
        Refused: nobody is.
    """
    saved = SavedSession.of_this_user()
    if token is not None:
        remote = Remote(SignedIn((url or DEFAULT_URL).rstrip("/"), token))
    else:
        session = saved.load()
        if session is None or (url is not None and url.rstrip("/") != session.url):
            raise Refused("unauthorized", "Sign in first with `famichat login`")
        remote = Remote(session, saved)
    try:
        yield remote
    finally:
        remote.close()


def find_conversation(remote: Remote, wanted: str) -> dict[str, Any]:
    """The one conversation of this id, name or type."""
    found: list[dict[str, Any]] = remote.get("/conversations")["conversations"]
    same = [each for each in found if wanted in {each["id"], each["name"], each["type"]}]
    if len(same) > 1:
        raise Refused("ambiguous", f"{len(same)} of your conversations are called {wanted}. Use the id instead")
    if not same:
        # One that is hidden or archived is not in the list.
        conversation: dict[str, Any] = remote.get(f"/conversations/{wanted.rpartition(':')[2]}")
        return conversation
    return same[0]


def people_of(remote: Remote) -> list[dict[str, Any]]:
    """Everybody whom one sees, as the server tells of them."""
    people: list[dict[str, Any]] = remote.get("/people")["people"]
    return people


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
