"""Queued changes: written together, refused one by one, numbered without gaps, announced in order."""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from famichat.chat.errors import NotFound
from famichat.chat.messages.change import Change, Deletion
from famichat.chat.messages.change_writer import ChangeResult, ChangeWriter
from famichat.chat.messages.content import seal_text
from famichat.chat.records.conversation import Conversation
from famichat.chat.records.message import BODY_PURPOSE, Message, body_aad
from famichat.chat.records.message_edit import MessageEdit
from famichat.chat.records.reaction import Reaction
from famichat.e2ee.envelope import Envelope
from famichat.storage.base import new_id
from famichat.storage.database import Database
from famichat.telemetry.events import Event, MessageDeleted, MessageEdited, MessageReacted, TransactionRetried
from tests.factories.people import Household, Person
from tests.factories.talk import DELETE, GROUND, asked, edit, group_of, react, say
from tests.support.lossy_commits import lossy_commits

AT_ONCE = 50


@pytest.fixture
async def changes(database: Database) -> AsyncIterator[ChangeWriter]:
    opened = ChangeWriter(database, GROUND)
    yield opened
    await opened.close()


@pytest.fixture
def sent(database: Database, household: Household) -> tuple[str, str]:
    """A group, and Emil's messages in it."""

    def fill(session: Session) -> tuple[str, str]:
        conversation_id = group_of(session, household)
        return conversation_id, say(session, conversation_id, household.emil, "hej")[0]

    return database.run(fill)


async def test_changes_are_broadcast_in_order_and_only_once(
    changes: ChangeWriter, household: Household, sent: tuple[str, str], emitted: list[Event]
) -> None:
    reported: list[ChangeResult] = []
    wanted: list[tuple[Person, Change]] = [
        (household.emil, edit("hejsan")),
        (household.inga, react("❤")),
        (household.inga, react("❤")),
        (household.inga, react(None)),
        (household.maja, DELETE),
        (household.emil, DELETE),
    ]
    answers = [changes.make(asked(who, *sent, change), reported.append) for who, change in wanted]
    outcomes = await asyncio.gather(*answers)

    assert [each.view["change"] for each in reported] == [1, 2, 3, 4]
    assert [each.changed for each in outcomes] == [True, True, False, True, True, False]
    about = [each.name for each in emitted if isinstance(each, MessageEdited | MessageReacted | MessageDeleted)]
    assert [name.rsplit(".", 1)[1] for name in about] == ["edited", "reacted", "reacted", "deleted"]
    [deleted] = [each for each in emitted if isinstance(each, MessageDeleted)]
    assert (deleted.user_id, deleted.own) == (household.maja.user_id, False)


async def test_a_refused_change_does_not_concern_its_neighbours(
    changes: ChangeWriter, household: Household, sent: tuple[str, str]
) -> None:
    reported: list[ChangeResult] = []
    conversation_id, message_id = sent
    wanted = [(household.inga, message_id), (household.ada, message_id), (household.maja, new_id())]
    answers = [changes.make(asked(who, conversation_id, what, react("❤")), reported.append) for who, what in wanted]
    first, stranger, absent = await asyncio.gather(*answers, return_exceptions=True)

    assert isinstance(first, ChangeResult)
    assert isinstance(stranger, NotFound)
    assert isinstance(absent, NotFound)
    assert reported == [first]


async def test_a_change_that_the_database_refuses_does_not_concern_its_neighbours(
    changes: ChangeWriter, household: Household, sent: tuple[str, str]
) -> None:
    class Refused(Deletion):
        def make(self, session: Session, *_: object) -> bool:
            session.add(Reaction(message_id=new_id(), user_id=new_id(), emoji=b"x", encryption_flag=False))
            session.flush()
            return True

    reported: list[ChangeResult] = []
    wanted: list[tuple[Person, Change]] = [(household.inga, react("❤")), (household.maja, Refused())]
    answers = [changes.make(asked(who, *sent, change), reported.append) for who, change in [*wanted, *wanted[:1]]]
    first, refused, again = await asyncio.gather(*answers, return_exceptions=True)

    assert isinstance(refused, IntegrityError)
    assert [isinstance(each, ChangeResult) and each.changed for each in (first, again)] == [True, False]
    assert reported == [first]


@pytest.mark.parametrize("change", [edit("hejsan"), react("❤"), DELETE], ids=lambda change: type(change).__name__)
async def test_a_change_whose_commit_lost_its_reply_is_announced_once(
    database_url: str, household: Household, sent: tuple[str, str], change: Change
) -> None:
    announced: list[int] = []

    def announce(result: ChangeResult) -> None:
        announced.append(result.view["change"])

    async with lossy_commits(database_url, b"UPDATE messages") as (database, lose_a_reply):
        changes = ChangeWriter(database, GROUND)
        lose_a_reply()
        await changes.make(asked(household.emil, *sent, change), announce)
        await changes.make(asked(household.emil, *sent, change), announce)

    assert announced == [1]


async def test_fifty_changes_of_one_message_at_once_are_numbered_without_gaps(
    database: Database, household: Household, sent: tuple[str, str]
) -> None:
    """Two servers on one database, if it supports two; each announces its own changes in order."""
    databases = [database] if database.dialect == "sqlite" else [database, Database(database.url.render_as_string())]
    servers = [ChangeWriter(each, GROUND) for each in databases]
    reported: list[list[int]] = [[] for _ in servers]
    people = household.maja, household.emil, household.inga

    def ask(number: int) -> Awaitable[ChangeResult]:
        who, which = people[number % 3], number % len(servers)
        change: Change = edit(f"{number}") if who is household.emil else react(f"{number}")
        return servers[which].make(asked(who, *sent, change), lambda done: reported[which].append(done.view["change"]))

    await asyncio.gather(*map(ask, range(AT_ONCE)))
    for server in servers:
        await server.close()
    for other in databases[1:]:
        other.close()

    assert all(each == sorted(each) for each in reported)
    assert sorted(number for each in reported for number in each) == list(range(1, AT_ONCE + 1))

    def look(session: Session) -> tuple[int, int, int]:
        message = session.get_one(Message, sent[1])
        return session.get_one(Conversation, sent[0]).last_change, message.change, message.edits

    assert database.run_read(look) == (AT_ONCE, AT_ONCE, len(range(1, AT_ONCE, 3)))


async def test_a_change_never_loses_a_race_against_the_messages_of_another_node(
    database: Database, changes: ChangeWriter, household: Household, sent: tuple[str, str], emitted: list[Event]
) -> None:
    if database.dialect == "sqlite":
        assert (await changes.make(asked(household.inga, *sent, react("❤")), lambda _: None)).changed
        return  # one process has the database for itself
    other = Database(database.url.render_as_string())
    stop = threading.Event()

    def send_without_a_pause() -> None:
        while not stop.is_set():
            with other.journal_transaction(sent[:1]) as cursor:
                cursor.execute("UPDATE conversations SET last_seq = last_seq + 1 WHERE id = %s", sent[:1])

    sending = threading.Thread(target=send_without_a_pause)
    sending.start()
    try:
        for number in range(10):
            await changes.make(asked(household.inga, *sent, react(f"{number}")), lambda _: None)
    finally:
        stop.set()
        sending.join()
        other.close()

    assert not [each for each in emitted if isinstance(each, TransactionRetried)]


async def test_an_edit_preserves_the_former_body_as_a_key_rotation_has_just_sealed_it(
    database: Database, changes: ChangeWriter, household: Household, sent: tuple[str, str]
) -> None:
    rotation, edited = Database(database.url.render_as_string()), asyncio.Event()

    def seal_again(session: Session) -> bytes:
        message = session.get_one(Message, sent[1])
        session.info["editing"] = asyncio.run_coroutine_threadsafe(change(), loop)
        started.wait(5)
        message.body = seal_text(BODY_PURPOSE, "hej", Envelope(), body_aad(message.id, 0), GROUND.vault)
        session.flush()
        return message.body

    async def change() -> None:
        started.set()
        await changes.make(asked(household.emil, *sent, edit("hejsan")), lambda _: edited.set())

    loop, started = asyncio.get_running_loop(), threading.Event()
    sealed = await rotation.transaction(seal_again)
    await edited.wait()
    rotation.close()

    def former(session: Session) -> bytes:
        return session.execute(select(MessageEdit.body).where(MessageEdit.message_id == sent[1])).scalar_one()

    assert database.run_read(former) == sealed
