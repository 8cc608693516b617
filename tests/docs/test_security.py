"""SECURITY.md states who can read which data. These tests verify each row of its table on a real server."""

import json
import re
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import pytest_asyncio
from sqlalchemy import select
from sqlalchemy.orm import Session

from famichat.accounts.user import User
from famichat.chat.conversations.create import create_direct_conversation
from famichat.chat.records.message import BODY_PURPOSE, Message
from famichat.storage.database import Database
from tests.factories.people import INDEX, PASSWORD, PASSWORD_HASH, VAULT, Person
from tests.factories.talk import say
from tests.support.app import RunningApp, running_app

pytestmark = pytest.mark.asyncio(loop_scope="module")

PAGE = (Path(__file__).parents[2] / "SECURITY.md").read_text()
ROWS = re.findall(r"^\| (?!who |---)(.+?) \| .+ \| .*\|$", PAGE, re.MULTILINE)
SAID, BETWEEN_TWO, CIPHERTEXT = "dinner is at six", "a secret of Emil and Inga", "b3BhcXVlLWNpcGhlcnRleHQ"


class House:
    """A server with messages in the group, between Emil and Inga, and with end-to-end encryption."""

    def __init__(self, app: RunningApp, file: Path, database: Database) -> None:
        self.app, self.file, self.database = app, file, database
        home = app.home
        encrypted = {"encryption_flag": True, "encryption_version": "v1", "key_id": "KEY_1"}

        def talk(session: Session) -> str:
            pair = create_direct_conversation(session, home.emil.user_id, home.inga.user_id, blind_index=INDEX)
            say(session, pair.conversation.id, home.emil, BETWEEN_TWO)
            say(session, app.talks.group, home.maja, SAID)
            say(session, app.talks.group, home.maja, CIPHERTEXT, body=CIPHERTEXT.encode(), **encrypted)
            return str(pair.conversation.id)

        self.pair = database.run(talk)

    async def reads(self, who: Person, conversation_id: str) -> str:
        async with self.app.http(who) as http:
            return (await http.get(f"/conversations/{conversation_id}/messages")).text

    async def sees(self, who: Person) -> str:
        async with self.app.http(who) as http:
            shelves = [await http.get("/conversations", params=params) for params in ({}, {"hidden": "true"})]
            return "".join(each.text for each in shelves)

    @property
    def stolen(self) -> str:
        """All bytes of the database."""
        return "".join(path.read_bytes().decode("latin-1") for path in self.file.parent.glob("famichat.db*"))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(migrated_sqlite: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    folder = tmp_path_factory.mktemp("house")
    file = folder / "famichat.db"
    shutil.copy(migrated_sqlite, file)
    async with running_app(f"sqlite:///{file}", folder) as app:
        database = Database(f"sqlite:///{file}")
        yield House(app, file, database)
        database.close()


async def a_member(house: House) -> None:
    home = house.app.home
    assert SAID in await house.reads(home.emil, house.app.talks.group)
    assert SAID not in await house.reads(home.nils, house.app.talks.group)
    assert house.app.talks.group not in await house.sees(home.nils)


async def an_admin(house: House) -> None:
    maja = house.app.home.maja
    assert BETWEEN_TWO not in await house.reads(maja, house.pair)
    assert house.pair not in await house.sees(maja)
    assert BETWEEN_TWO in await house.reads(house.app.home.inga, house.pair)


async def another_family(house: House) -> None:
    home = house.app.home
    for conversation_id in (house.pair, house.app.talks.group, house.app.talks.family):
        assert json.loads(await house.reads(home.ada, conversation_id))["code"] == "not_found"
    seen = await house.sees(home.ada)
    assert not [name for name in ("maja", "emil", "inga", "nils", home.family_id) if name in seen]


async def a_removed_member(house: House) -> None:
    home = house.app.home
    async with house.app.http(home.maja) as maja:
        await maja.delete(f"/conversations/{house.app.talks.group}/members/{home.inga.user_id}")
        await maja.post(f"/conversations/{house.app.talks.group}/messages", json={"body": SAID})
    assert json.loads(await house.reads(home.inga, house.app.talks.group))["code"] == "not_found"


async def a_thief_without_the_keys(house: House) -> None:
    stolen, home = house.stolen, house.app.home
    assert not [secret for secret in (SAID, BETWEEN_TWO, "@example.org", PASSWORD) if secret in stolen]
    assert not [token for token in (house.app.token(home.maja),) if token in stolen]
    for known in ("maja", "Sundqvist", "Holiday", home.maja.user_id, house.pair, "KEY_1"):
        assert known in stolen, known


async def a_thief_with_the_keys(house: House) -> None:
    def opened(session: Session) -> list[str]:
        messages = session.execute(select(Message)).scalars()
        kept = [(each.encryption_flag, each.body or b"", each.id) for each in messages]
        return [(body if flag else VAULT.open(BODY_PURPOSE, body, id_)).decode() for flag, body, id_ in kept]

    bodies = house.database.run_read(opened)
    hashes = house.database.run_read(lambda session: set(session.execute(select(User.password_hash)).scalars()))
    assert {SAID, BETWEEN_TWO} <= set(bodies)
    assert CIPHERTEXT in bodies, "what was encrypted before it came is as opaque as it was"
    assert hashes == {PASSWORD_HASH}


async def a_push_service(house: House) -> None:
    """tests/push/test_notifier.py verifies what a push service receives, with a browser that can decrypt it."""
    tried = (Path(__file__).parents[1] / "push" / "test_notifier.py").read_text()
    assert 'assert b"supper" not in body' in tried


async def a_stranger(house: House) -> None:
    async with house.app.site() as site:
        answers = [await site.get(path) for path in ("/", "/events", "/api/openapi.json", "/healthz", "/api/v1/setup")]
        known = await site.post("/api/v1/sessions", json={"username": "maja", "password": "not the password"})
        no_one = await site.post("/api/v1/sessions", json={"username": "nobody", "password": "not the password"})
    sent = "".join(each.text for each in answers)
    assert {each.status_code for each in answers} == {200}
    assert "Sundqvist" not in sent
    assert known.content == no_one.content


CHECKS: dict[str, Callable[[House], Awaitable[None]]] = {
    "a member of a conversation": a_member,
    "an admin of a family": an_admin,
    "a member of another family on this server": another_family,
    "a thief with the disk or a backup, **without** `secrets.json`": a_thief_without_the_keys,
    "a thief with `secrets.json`, and the operator": a_thief_with_the_keys,
    "a push service": a_push_service,
    "a stranger who can reach the server": a_stranger,
    "a removed member, or the owner of a revoked device": a_removed_member,
}


async def test_every_row_is_tested() -> None:
    assert sorted(ROWS) == sorted(CHECKS)


@pytest.mark.parametrize("row", CHECKS)
async def test_each_user_reads_only_permitted_messages(house: House, row: str) -> None:
    await CHECKS[row](house)
