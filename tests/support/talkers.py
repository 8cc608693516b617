"""The users of the fault tests: the Sundqvists in three conversations, while outsiders try to join.

talkers = move_in(database_url)
async with FamichatServer(tmp_path / "data", database_url=database_url, settings=KEYS) as server:
    load = Load(server.socket_url, talkers.seats, strangers=talkers.strangers)
    ...
    history = await talkers.history(server.url, load.records)
"""

import json
from base64 import b64encode
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx
from sqlalchemy.orm import Session

from famichat.accounts.device import add_device
from famichat.accounts.sign_in.token import Tokens
from famichat.chat.conversations.create import (
    create_direct_conversation,
    create_family_conversation,
    create_group_conversation,
)
from famichat.chat.records.conversation import Conversation
from famichat.storage.crypto.vault import KEY_BYTES
from famichat.storage.database import Database
from famichat.storage.migrate import upgrade
from tests.factories import people
from tests.support.chatter import Seat, entry_of
from tests.support.history import Entry, History, Member, Read, Record

_VAULT_KEY: Final = b64encode(b"\x07" * KEY_BYTES).decode()  # as in people.VAULT
KEYS: Final = {"SECRET_KEY": people.SECRET, "VAULT_KEYS": json.dumps({1: _VAULT_KEY})}
PAGE: Final = 200


@dataclass(frozen=True, slots=True)
class Talkers:
    """The people of a run.

    Attributes:
        seats: the devices that send: all in the family conversation, two also in a direct one, three in a group.
        strangers: devices whose people are not in the conversation that they try to join.
    """

    seats: tuple[Seat, ...]
    strangers: tuple[Seat, ...]

    async def history(self, url: str, records: Sequence[Record]) -> History:
        """Return the recorded history with the current messages of each member."""
        members = sorted({(seat.conv, seat.user) for seat in self.seats})
        reads = [await self.read(url, conv, user) for conv, user in members]
        return History((*(Member(conv, user) for conv, user in members), *records, *reads))

    async def read(self, url: str, conv: str, user: str) -> Read:
        """All messages of a conversation, over HTTP, as one of its members reads them."""
        entries: list[Entry] = []
        async with httpx.AsyncClient(trust_env=False, timeout=30) as http:
            more = True
            while more:
                answer = await self._page(http, url, conv, user, after_seq=len(entries) and entries[-1].seq)
                page = answer.raise_for_status().json()
                entries += [entry_of(message) for message in page["messages"]]
                more = page["has_more"]
        return Read(conv, user, tuple(entries))

    async def try_to_read(self, url: str) -> httpx.Response:
        """The answer to a request for the first page, whatever it is."""
        async with httpx.AsyncClient(trust_env=False, timeout=20) as http:
            return await self._page(http, url, self.seats[0].conv, self.seats[0].user, after_seq=0)

    async def _page(self, http: httpx.AsyncClient, url: str, conv: str, user: str, after_seq: int) -> httpx.Response:
        token = next(seat.token for seat in self.seats if seat.user == user)
        return await http.get(
            f"{url}/api/v1/conversations/{conv}/messages",
            params={"after_seq": after_seq, "limit": PAGE},
            headers={"Authorization": f"Bearer {token}"},
        )


def move_in(database_url: str) -> Talkers:
    """Migrate a database, and let the people and their conversations be there before the server starts."""
    with _opened(database_url) as database:
        upgrade(database)
        return database.run(_move_in)


def sqlite_in(data_dir: Path) -> str:
    """The address of the database that a server keeps in its data directory."""
    data_dir.mkdir(mode=0o700, exist_ok=True)
    return f"sqlite:///{data_dir / 'famichat.db'}"


@contextmanager
def _opened(database_url: str) -> Iterator[Database]:
    database = Database(database_url)
    try:
        yield database
    finally:
        database.close()


def _move_in(session: Session) -> Talkers:
    home = people.household(session)
    maja, emil, inga, nils = home.everyone
    tablet = people.Person(maja.user_id, add_device(session, maja.user_id, "maja's tablet").id, "maja's tablet")
    family = create_family_conversation(session, maja.user_id).conversation
    direct = create_direct_conversation(session, maja.user_id, emil.user_id, blind_index=people.INDEX).conversation
    group = create_group_conversation(session, maja.user_id, "Supper", [emil.user_id, inga.user_id]).conversation
    tokens = Tokens(people.SECRET)

    def sit(conversation: Conversation, *who: people.Person) -> list[Seat]:
        topic = f"message:{conversation.type}:{conversation.id}"
        return [Seat(each.user_id, each.username, tokens.issue(each.user_id, each.device_id), topic) for each in who]

    return Talkers(
        seats=(
            *sit(family, maja, tablet, emil, inga, nils),
            *sit(direct, maja, emil),
            *sit(group, maja, emil, inga),
        ),
        strangers=(*sit(family, home.ada), *sit(direct, nils), *sit(group, nils)),
    )
