"""The whole application, running in the test's own event loop, with the household in it."""

import asyncio
import base64
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx
from sqlalchemy.orm import Session

from famichat.accounts.sign_in.token import Tokens
from famichat.app.server import Ready, serve
from famichat.chat.conversations.create import (
    create_direct_conversation,
    create_family_conversation,
    create_group_conversation,
    create_self_conversation,
)
from famichat.settings import Settings
from famichat.storage.database import Database
from tests.factories.people import INDEX, SECRET, Household, Person, household
from tests.support import leaks
from tests.support.channel_client import ChannelClient

VAULT_KEYS = '{"1": "' + base64.b64encode(b"\x07" * 32).decode() + '"}'
"""As `tests.factories.people.VAULT`."""

_TRUSTED: Final = ssl.create_default_context()  # shared, because every client would read the certificates again


@dataclass(frozen=True, slots=True)
class Talks:
    """The ids of Maja's conversations, one of each type; Emil is in all but her notes."""

    self: str
    direct: str
    group: str
    family: str


@dataclass(frozen=True, slots=True)
class Inhabited:
    """A database in which the household has moved in."""

    path: Path
    home: Household
    talks: Talks


@dataclass(frozen=True, slots=True)
class RunningApp:
    """A server to talk to."""

    url: str
    home: Household
    talks: Talks
    settings: Settings

    def token(self, person: Person) -> str:
        """An access token for a person's device."""
        token = Tokens(SECRET).issue(person.user_id, person.device_id)
        leaks.remember(token, "token")
        return token

    def connect(self, person: Person, **options: str) -> AbstractAsyncContextManager[ChannelClient]:
        """That person's socket, to be entered with `async with`."""
        return ChannelClient.connect(f"{self.url}/socket", token=self.token(person), **options)

    def http(self, person: Person | None = None) -> httpx.AsyncClient:
        """A client of the HTTP API, signed in as that person."""
        return self._client(f"{self.url}/api/v1", person)

    def site(self, person: Person | None = None) -> httpx.AsyncClient:
        """An HTTP client for every URL of the server."""
        return self._client(self.url, person)

    def _client(self, base_url: str, person: Person | None) -> httpx.AsyncClient:
        headers = {} if person is None else {"authorization": f"Bearer {self.token(person)}"}
        return httpx.AsyncClient(base_url=base_url, headers=headers, timeout=30, verify=_TRUSTED, event_hooks=hooks())


def hooks() -> dict[str, list[Callable[..., Awaitable[None]]]]:
    """HTTP client hooks that register secrets and inspect errors."""

    async def sent(request: httpx.Request) -> None:
        with suppress(httpx.RequestNotRead):  # it is made while it is sent
            remember_json(request.content)

    async def answered(response: httpx.Response) -> None:
        kind = response.headers.get("content-type", "")
        if kind == "application/problem+json":
            leaks.look((await response.aread()).decode(), "an error answer")
        elif kind == "application/json":
            remember_json(await response.aread())

    def remember_json(content: bytes) -> None:
        with suppress(ValueError):  # a test may send anything
            leaks.remember(json.loads(content))

    return {"request": [sent], "response": [answered]}


def move_in(session: Session) -> tuple[Household, Talks]:
    """Let the household move in and make one conversation of each type."""
    home = household(session)
    maja, emil, inga = home.maja.user_id, home.emil.user_id, home.inga.user_id
    created = (
        create_self_conversation(session, maja),
        create_direct_conversation(session, maja, emil, blind_index=INDEX),
        create_group_conversation(session, maja, "Holiday", [emil, inga]),
        create_family_conversation(session, maja),
    )
    return home, Talks(*(each.conversation.id for each in created))


@asynccontextmanager
async def running_app(
    database_url: str, folder: Path, inhabited: Inhabited | None = None, /, **settings: object
) -> AsyncIterator[RunningApp]:
    """Serve a fresh database with the household in it.

    Args:
        database_url: a migrated database, empty unless `inhabited` is given.
        folder: for the data directory.
        inhabited: what the database is a copy of.
        settings: differences from the tests' usual settings.
    """
    if inhabited is None:
        database = Database(database_url)
        home, talks = database.run(move_in)
        database.close()
    else:
        home, talks = inhabited.home, inhabited.talks
    chosen = Settings.model_validate(
        {
            "data_dir": folder / "data",
            "database_url": database_url,
            "port": 0,
            "secret_key": SECRET,
            "vault_keys": VAULT_KEYS,
            "rate_limits": "off",
            "test_endpoints": True,
            **settings,
        }
    )
    async with served(chosen) as ready:
        yield RunningApp(ready.url, home, talks, chosen)


@asynccontextmanager
async def served(settings: Settings) -> AsyncIterator[Ready]:
    """Serve with these settings for as long as the block runs."""
    ready: asyncio.Future[Ready] = asyncio.get_running_loop().create_future()
    stop = asyncio.Event()
    server = asyncio.create_task(serve(settings, ready.set_result, stop))
    server.add_done_callback(lambda _: ready.cancel())  # it ended before it was ready: `await server` says why
    try:
        yield await ready
    finally:
        stop.set()
        await server
