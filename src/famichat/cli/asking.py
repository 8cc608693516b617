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

    @click.option("--url", envvar="FAMICHAT_URL", help="The server; by default where `famichat login` signed in.")
    @click.option("--token", envvar="FAMICHAT_TOKEN", help="An access token, instead of the saved sign-in.")
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
            raise Refused("unauthorized", "Sign in first, with `famichat login`")
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
        raise Refused("ambiguous", f"{len(same)} of your conversations are called {wanted}; give the id")
    if not same:
        # One that is hidden or archived is not in the list.
        conversation: dict[str, Any] = remote.get(f"/conversations/{wanted.rpartition(':')[2]}")
        return conversation
    return same[0]


def names_of(remote: Remote) -> dict[str, str]:
    """The people of one's families: username by id."""
    families = remote.get("/families")["families"]
    members = [each for family in families for each in remote.get(f"/families/{family['id']}/members")["members"]]
    return {member["user_id"]: member["username"] for member in members}


def find_person(remote: Remote, wanted: str) -> str:
    """The id of the one person of your families who goes by this username or id.

    Raises:
        Refused: there is nobody, as far as you can see.
    """
    found = [user_id for user_id, name in names_of(remote).items() if wanted in {user_id, name}]
    if not found:
        raise Refused("not_found", f"Nobody in your families is called {wanted}")
    return found[0]
