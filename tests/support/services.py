"""The services of a server without a server: tests call actions with them, and see what actions broadcast."""

import shutil
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

from famichat.accounts.sign_in.token import Identity
from famichat.actions.rate_limit import Address
from famichat.actions.services import Services
from famichat.app.services import build_services
from famichat.realtime.message import Payload
from famichat.settings import Settings
from tests.factories.people import SECRET, Household, Person
from tests.support.app import VAULT_KEYS, Talks, move_in

ADDRESS = Address("192.0.2.1")
PUBLIC_URL = "http://localhost:4000"


@dataclass
class RunningServices:
    """The services, the household, and everything they broadcast.

    Attributes:
        services: as an action takes them.
        home: the household.
        talks: the conversations of the household.
        published: each broadcast, disconnection and eviction, as its kind and its fields.
    """

    services: Services
    home: Household
    talks: Talks
    published: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def events(self, user_id: str) -> list[str]:
        """The events that were broadcast to a user's devices."""
        topic = f"user:{user_id}"
        return [note["event"] for kind, note in self.published if kind == "broadcast" and note["topic"] == topic]

    def closed(self) -> list[str]:
        """The users and devices whose connections were closed."""
        return [note["id"] for kind, note in self.published if kind == "disconnect"]

    def evicted(self) -> set[tuple[str, str]]:
        """The users whose channels were closed, by topic."""
        return {(note["topic"], note["id"]) for kind, note in self.published if kind == "evict"}


def identity(person: Person) -> Identity:
    """A person on their device, as an action takes them."""
    return Identity(person.user_id, person.device_id, person.username)


@asynccontextmanager
async def running_services(template: Path, folder: Path, **settings: object) -> AsyncIterator[RunningServices]:
    """Build services on a copy of a migrated SQLite database, with the household in it.

    Args:
        template: the database file to copy.
        folder: for the copy and the data directory.
        settings: differences from the tests' usual settings.
    """
    shutil.copy(template, folder / "famichat.db")
    chosen = {
        "data_dir": folder / "data",
        "database_url": f"sqlite:///{folder / 'famichat.db'}",
        "public_url": PUBLIC_URL,
        "secret_key": SECRET,
        "vault_keys": VAULT_KEYS,
        **settings,
    }
    async with build_services(Settings.model_validate(chosen)) as services:
        home, talks = await services.write(move_in)
        running = RunningServices(services, home, talks)

        def publish(kind: str, note: dict[str, Any], _replaces: Hashable = None) -> None:
            if kind in {"evict", "disconnect"}:
                running.published.append((kind, note))

        def broadcast(topic: str, event: str, payload: Payload, **options: Any) -> int:
            given = {key: value for key, value in options.items() if value is not None and key != "announce"}
            running.published.append(("broadcast", {"topic": topic, "event": event, "payload": payload, **given}))
            return 0

        with (
            patch.object(services.pubsub, "publish", publish),
            patch.object(services.pubsub, "broadcast", broadcast),
            patch.object(services.pubsub, "may_have_listeners", lambda _topic, _event: True),  # as with other nodes
        ):
            yield running
