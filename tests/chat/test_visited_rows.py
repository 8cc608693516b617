"""What clients do often visits about as many rows as it returns, in a database of 100,000 messages."""

# ruff: noqa: S608 - statements contain ids of this test

import asyncio
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy.orm import Session

from famichat.chat.access import Access, conversation_for, conversations_of
from famichat.chat.conversations.create import create_group_conversation
from famichat.chat.conversations.summary import unread_counts
from famichat.chat.conversations.view import conversation_view, conversation_views
from famichat.chat.journal.batch import write_batch
from famichat.chat.journal.entry import Entry
from famichat.chat.list_cursor import ListCursor
from famichat.chat.messages.change_feed import changes_after
from famichat.chat.messages.history import PageRequest, ResumeFrom, resume
from famichat.chat.messages.receipt import positions
from famichat.chat.messages.receipt_batch import Acknowledgement
from famichat.chat.messages.receipt_writer import ReceiptWriter
from famichat.storage.base import new_id
from famichat.storage.database import Database
from tests.factories import people
from tests.factories.people import VAULT, Household
from tests.factories.talk import GROUND, group_of
from tests.support.postgres import Postgres
from tests.support.visited_rows import visited_rows

LARGE, SMALL, GROUPS = 80_000, 200, 100


@dataclass(frozen=True, slots=True)
class Grown:
    """A database of 100,000 messages: a large group, and 100 small ones. Every eighth message has changed.

    Maja and Emil received everything, on one device each. Maja has read it, Emil nothing.
    """

    database: Database
    household: Household
    large: str
    small: list[str]

    def access(self, session: Session) -> Access:
        return conversation_for(session, self.household.maja.user_id, self.large, "group")


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def grown(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Grown]:
    if request.param == "sqlite":
        path: Path = tmp_path_factory.mktemp("grown") / "famichat.db"
        shutil.copy(request.getfixturevalue("migrated_sqlite"), path)
        database = Database(f"sqlite:///{path}")
        opened: Any = sqlite3.connect(path)  # which checks no foreign keys
    else:
        postgres: Postgres = request.getfixturevalue("postgres")
        database = Database(postgres.create("grown", request.getfixturevalue("migrated_postgres")))
        opened = psycopg.connect(postgres.url("grown"), options="-c session_replication_role=replica")
    grown = database.run(lambda session: _conversations(database, session))
    with closing(opened) as connection:
        _fill(connection, grown, sqlite=request.param == "sqlite")
        connection.commit()
    yield grown
    database.close()


def _conversations(database: Database, session: Session) -> Grown:
    household = people.household(session)
    others = household.emil.user_id, household.inga.user_id
    small = [
        create_group_conversation(session, household.maja.user_id, f"Group {n}", others).conversation.id
        for n in range(GROUPS)
    ]
    return Grown(database, household, group_of(session, household), small)


def _fill(connection: Any, grown: Grown, *, sqlite: bool) -> None:
    """Store the messages of Maja and Emil, who write in turn. They are encrypted, so no vault has to seal them."""
    message_id = (
        "printf('%08x-0000-7000-8000-%012x', c.number, n)"
        if sqlite
        else ("(lpad(to_hex(c.number), 8, '0') || '-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid")
    )
    uuid, blob = ("text", "blob") if sqlite else ("uuid", "bytea")
    maja, emil = grown.household.maja, grown.household.emil
    connection.execute(f"CREATE TEMP TABLE sizes (id {uuid}, number bigint, count bigint)")
    sizes = [(grown.large, LARGE), *((each, SMALL) for each in grown.small)]
    rows = ", ".join(f"('{id_}', {number}, {count})" for number, (id_, count) in enumerate(sizes))
    connection.execute(f"INSERT INTO sizes VALUES {rows}")
    connection.execute(
        f"WITH RECURSIVE series(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM series WHERE n < {LARGE}) "
        "INSERT INTO messages (id, conversation_id, seq, user_id, message_type, body, encryption_flag, "
        f"encryption_version, key_id, inserted_at, change, sender_seq) SELECT {message_id}, c.id, n, "
        f"CAST(CASE n % 2 WHEN 0 THEN '{maja.user_id}' ELSE '{emil.user_id}' END AS {uuid}), 'text', "
        f"CAST('aGVq' AS {blob}), true, 'v1', '1', '2026-11-23 05:31:00', CASE n % 8 WHEN 0 THEN n / 8 ELSE 0 END, "
        "(n + 1) / 2 "
        "FROM sizes c JOIN series ON n <= c.count"
    )
    connection.execute(
        "UPDATE conversations SET last_seq = (SELECT count FROM sizes WHERE sizes.id = conversations.id), "
        "last_change = (SELECT count / 8 FROM sizes WHERE sizes.id = conversations.id)"
    )
    for who, read in ((maja, "count"), (emil, "0")):
        connection.execute(
            "INSERT INTO message_receipts (conversation_id, device_id, user_id, delivered_seq, read_seq, updated_at) "
            f"SELECT id, CAST('{who.device_id}' AS {uuid}), CAST('{who.user_id}' AS {uuid}), count, {read}, "
            "'2026-11-23 05:31:00' FROM sizes"
        )
    connection.execute("ANALYZE")


Read = Callable[[Grown, Session], int]
"""Reads, and returns the number of items that it found."""


def _resume(has: ResumeFrom) -> Read:
    def read(grown: Grown, session: Session) -> int:
        found = resume(session, grown.access(session), has, vault=VAULT)
        return len(found.messages) + len(found.changes["changes"])

    return read


def _page(request: PageRequest) -> Read:
    return lambda grown, session: len(request.read(session, grown.access(session), VAULT)["messages"])


def _changes(after: int) -> Read:
    return lambda grown, session: len(changes_after(session, grown.access(session), after, vault=VAULT)["changes"])


def _unread(grown: Grown, session: Session) -> int:
    counts = unread_counts(session, [(grown.large, each.user_id) for each in grown.household.everyone])
    assert counts[grown.large, grown.household.emil.user_id] == LARGE // 2
    return len(counts)


def _list(grown: Grown, session: Session) -> int:
    found = conversations_of(session, grown.household.maja.user_id)
    views = conversation_views(session, found, GROUND.policies, VAULT)
    return sum(1 + len(each["members"]) for each in views)


def _list_page(grown: Grown, session: Session) -> int:
    maja, limit = grown.household.maja.user_id, GROUPS // 2
    first = conversations_of(session, maja, limit=limit)
    page = conversations_of(session, maja, after=ListCursor.of(first[-1].conversation), limit=limit)
    views = conversation_views(session, page, GROUND.policies, VAULT)
    return len(first) + sum(1 + len(each["members"]) for each in views)


def _conversation(grown: Grown, session: Session) -> int:
    conversation_view(session, grown.access(session), GROUND.policies, VAULT)
    return len(positions(session, grown.access(session)))


READS: dict[str, Read] = {
    "a first join": _resume(ResumeFrom()),
    "a join that missed nothing": _resume(ResumeFrom(LARGE, LARGE // 8)),
    "a join that missed a few": _resume(ResumeFrom(LARGE - 50, LARGE // 8 - 10)),
    "the first page": _page(PageRequest(after_seq=0)),
    "a page after the middle": _page(PageRequest(after_seq=LARGE // 2)),
    "a page after the last message": _page(PageRequest(after_seq=LARGE)),
    "the newest page": _page(PageRequest(before_seq=None)),
    "a page before the middle": _page(PageRequest(before_seq=LARGE // 2)),
    "a page before the first message": _page(PageRequest(before_seq=1)),
    "the first changes": _changes(0),
    "changes after the middle": _changes(LARGE // 16),
    "changes after the last one": _changes(LARGE // 8),
    "unread counts": _unread,
    "the list": _list,
    "the second page of the list": _list_page,
    "a conversation and its receipts": _conversation,
}


def allowed(returned: int) -> int:
    """How many rows may be visited for each item: its row, those of members and devices, and entries of indexes."""
    return 400 + 25 * returned


@pytest.mark.parametrize("name", READS)
def test_a_read_visits_about_as_many_rows_as_it_returns(grown: Grown, name: str) -> None:
    with visited_rows(grown.database) as visited:
        returned = grown.database.run_read(lambda session: READS[name](grown, session))

    assert visited.rows <= allowed(returned)
    assert visited.scans == []


def test_the_first_message_of_a_member_visits_few_rows(grown: Grown) -> None:
    inga, conversation_id = grown.household.inga, grown.large
    reply_to = f"{0:08x}-0000-7000-8000-{1:012x}"
    entry = Entry(
        id=new_id(),
        conversation_id=conversation_id,
        conversation_type="group",
        user_id=inga.user_id,
        device_id=inga.device_id,
        message_type="text",
        body=b"sealed",
        client_id="a",
        fingerprint=b"f",
        reply_to_id=reply_to,
        encryption_flag=True,
        encryption_version="v1",
        key_id="1",
    )
    with visited_rows(grown.database) as visited:
        asyncio.run(write_batch(grown.database, [entry]))

    assert visited.rows <= allowed(1)
    assert visited.scans == []


def test_an_acknowledgement_visits_few_rows(grown: Grown) -> None:
    async def acknowledge() -> None:
        inga, receipts = grown.household.inga, ReceiptWriter(grown.database)
        request = Acknowledgement(inga.user_id, inga.device_id, "group", grown.large, LARGE, None, "read")
        await receipts.acknowledge(request, lambda _: None)
        await receipts.close()

    with visited_rows(grown.database) as visited:
        asyncio.run(acknowledge())

    assert visited.rows <= allowed(1)
    assert visited.scans == []
