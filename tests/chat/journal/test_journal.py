"""The journal on both databases: its guarantees to senders, and its refusals."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Collection
from dataclasses import replace

import pytest
from sqlalchemy import text, update
from sqlalchemy.orm import Session

from famichat.accounts.device import Device
from famichat.accounts.user import User
from famichat.chat.journal import batch
from famichat.chat.journal import journal as journal_module
from famichat.chat.journal.entry import Entry, JournalRefusal, Stored
from famichat.chat.journal.journal import Journal
from famichat.chat.records.attachment import Attachment
from famichat.chat.records.conversation import Conversation
from famichat.chat.records.participant import Participant
from famichat.storage import group_commit, halving
from famichat.storage.base import new_id, now
from famichat.storage.database import Database
from famichat.storage.errors import StorageUnavailable, StorageUnreachable
from famichat.telemetry.events import Event, JournalBatchWritten
from tests.factories.people import Household, Person
from tests.factories.talk import attach, group_of
from tests.support.lossy_commits import lossy_commits
from tests.support.lossy_proxy import STORES_MESSAGES

Make = Callable[..., Entry]


@pytest.fixture
async def journal(database: Database) -> AsyncIterator[Journal]:
    opened = Journal(database)
    yield opened
    await opened.close()


def entry_of(
    user_id: str, device_id: str, conversation_id: str, kind: str = "self", attachment_ids: tuple[str, ...] = ()
) -> Entry:
    return Entry(
        id=new_id(),
        conversation_id=conversation_id,
        conversation_type=kind,
        user_id=user_id,
        device_id=device_id,
        message_type="text",
        body=b"sealed",
        client_id=None,
        fingerprint=None,
        reply_to_id=None,
        encryption_flag=False,
        encryption_version=None,
        key_id=None,
        attachment_ids=attachment_ids,
    )


@pytest.fixture
def make(database: Database) -> Make:
    """Build an entry for a user's notes to self; each keyword replaces one field."""
    user_id, device_id, conversation_id = new_id(), new_id(), new_id()

    def prepare(session: Session) -> None:
        session.add(User(id=user_id, username="maja", username_key="maja", username_look="maja", password_hash="-"))
        session.flush()
        session.add(Device(id=device_id, user_id=user_id, name="tablet"))
        session.add(Conversation(id=conversation_id, type="self", owner_id=user_id))
        session.flush()
        session.add(Participant(conversation_id=conversation_id, user_id=user_id))

    database.run(prepare)

    template = entry_of(user_id, device_id, conversation_id)
    return lambda **changes: replace(template, id=new_id(), **changes)


def ignore(_: Stored) -> None:
    """Ignore the announcement."""


def finished_uploads(session: Session, conversation_id: str, who: Person) -> list[str]:
    uploads = [attach(session, conversation_id, who) for _ in range(2)]
    session.execute(update(Attachment).values(finished_at=now()))
    return uploads


def rows(database: Database) -> list[tuple[str, int]]:
    query = text("SELECT id, seq FROM messages ORDER BY seq")
    return database.run_read(lambda session: [(str(row[0]), row[1]) for row in session.execute(query)])


async def test_messages_get_their_seq_without_gaps_in_the_order_of_appending(
    database: Database, journal: Journal, make: Make
) -> None:
    entries = [make() for _ in range(1200)]

    stored = await asyncio.gather(*[journal.append(entry, ignore) for entry in entries])

    assert [s.seq for s in stored] == list(range(1, 1201))
    assert rows(database) == [(entry.id, seq) for seq, entry in enumerate(entries, 1)]


async def test_queued_writes_are_committed_together(journal: Journal, make: Make, emitted: list[Event]) -> None:
    await asyncio.gather(*[journal.append(make(), ignore) for _ in range(100)])

    assert [event.messages for event in emitted if isinstance(event, JournalBatchWritten)] == [100]


async def test_messages_are_broadcast_in_order_and_before_the_acknowledgement(journal: Journal, make: Make) -> None:
    reported: list[int] = []
    order: list[str] = []

    futures = [journal.append(make(), lambda stored: reported.append(stored.seq)) for _ in range(5)]
    futures[0].add_done_callback(lambda _: order.append(f"acknowledged after {len(reported)}"))
    await asyncio.gather(*futures)

    assert reported == [1, 2, 3, 4, 5]
    assert order == ["acknowledged after 5"]


async def test_others_get_the_message_although_the_sender_disconnected(journal: Journal, make: Make) -> None:
    reported: list[int] = []

    journal.append(make(), lambda stored: reported.append(stored.seq)).cancel()
    await journal.close()

    assert reported == [1]


async def test_a_repeat_gets_the_first_answer_and_stores_and_tells_nothing(
    database: Database, journal: Journal, make: Make
) -> None:
    reported: list[int] = []
    first = await journal.append(make(client_id="a", fingerprint=b"f"), lambda stored: reported.append(stored.seq))

    again = await journal.append(make(client_id="a", fingerprint=b"f"), lambda stored: reported.append(stored.seq))

    assert (again.id, again.seq, again.inserted_at, again.repeat) == (first.id, first.seq, first.inserted_at, True)
    assert reported == [1]
    assert len(rows(database)) == 1


async def test_a_repeat_in_the_same_batch_is_a_repeat(database: Database, journal: Journal, make: Make) -> None:
    stored = await asyncio.gather(*[journal.append(make(client_id="a", fingerprint=b"f"), ignore) for _ in range(50)])

    assert {s.seq for s in stored} == {1}
    assert [s.repeat for s in stored].count(False) == 1
    assert len(rows(database)) == 1


async def test_the_same_client_id_with_another_body_is_a_conflict(journal: Journal, make: Make) -> None:
    await journal.append(make(client_id="a", fingerprint=b"f"), ignore)

    with pytest.raises(JournalRefusal, match="conflict"):
        await journal.append(make(client_id="a", fingerprint=b"g"), ignore)


@pytest.mark.parametrize(
    "changes",
    [
        {"conversation_id": new_id()},
        {"conversation_type": "group"},
        {"user_id": new_id()},
        {"device_id": new_id()},
    ],
    ids=["no such conversation", "the wrong type", "not a participant", "not that person's device"],
)
async def test_an_outsider_gets_not_found(journal: Journal, make: Make, changes: dict[str, str]) -> None:
    with pytest.raises(JournalRefusal, match="not_found"):
        await journal.append(make(**changes), ignore)


async def test_a_revoked_device_gets_not_found(database: Database, journal: Journal, make: Make) -> None:
    entry = make()

    def revoke(session: Session) -> None:
        session.get_one(Device, entry.device_id).revoked_at = now()

    database.run(revoke)

    with pytest.raises(JournalRefusal, match="not_found"):
        await journal.append(entry, ignore)


async def test_a_reply_needs_a_message_of_the_same_conversation(journal: Journal, make: Make) -> None:
    first = await journal.append(make(), ignore)

    assert (await journal.append(make(reply_to_id=first.id), ignore)).seq == 2
    with pytest.raises(JournalRefusal, match="invalid_reply"):
        await journal.append(make(reply_to_id=new_id()), ignore)


async def test_a_conversation_that_demanded_ciphertext_once_refuses_plaintext(
    database: Database, journal: Journal, make: Make
) -> None:
    entry = make()

    def require(session: Session) -> None:
        session.get_one(Conversation, entry.conversation_id).encryption_required = True

    database.run(require)

    with pytest.raises(JournalRefusal, match="encryption_required"):
        await journal.append(entry, ignore)
    assert (await journal.append(make(encryption_flag=True, encryption_version="v1", key_id="k"), ignore)).seq == 1


async def test_one_message_that_the_database_refuses_does_not_fail_its_neighbours(
    database: Database, journal: Journal, make: Make
) -> None:
    good, bad, better = make(), make(message_type="x" * 33), make()

    outcomes = await asyncio.gather(
        *[journal.append(entry, ignore) for entry in (good, bad, better)], return_exceptions=True
    )

    assert isinstance(outcomes[1], StorageUnavailable)
    assert rows(database) == [(good.id, 1), (better.id, 2)]


async def test_a_damaged_conversation_fails_only_its_own_messages(
    database: Database, journal: Journal, make: Make
) -> None:
    if database.dialect == "postgresql":
        pytest.skip("PostgreSQL checks the types of values, so a row cannot be damaged with SQL")
    good, damaged, better = make(), make(conversation_id=new_id()), make()

    def store_damaged(session: Session) -> None:
        session.execute(text("PRAGMA ignore_check_constraints = ON"))
        session.execute(
            text(
                "INSERT INTO conversations (id, type, last_seq, last_change, encryption_required, history, created_at, "
                "updated_at) SELECT :id, CAST(x'FFFE' AS TEXT), 0, 0, 0, history, created_at, updated_at "
                "FROM conversations"
            ),
            {"id": damaged.conversation_id},
        )
        session.execute(text("PRAGMA ignore_check_constraints = OFF"))

    database.run(store_damaged)
    outcomes = await asyncio.gather(
        *[journal.append(entry, ignore) for entry in (good, damaged, better)], return_exceptions=True
    )

    assert isinstance(outcomes[1], StorageUnavailable)
    assert rows(database) == [(good.id, 1), (better.id, 2)]


async def test_messages_too_many_for_one_commit_are_stored_in_smaller_ones(
    database: Database, journal: Journal, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = batch.write_batch

    async def write_few(database: Database, entries: list[Entry], uncertain: Collection[str]) -> list[batch.Outcome]:
        if len(entries) > 10:
            raise StorageUnavailable("disk full")
        return await written(database, entries, uncertain)

    monkeypatch.setattr(journal_module, "write_batch", write_few)
    entries = [make() for _ in range(100)]
    stored = await asyncio.gather(*[journal.append(entry, ignore) for entry in entries])

    assert [each.seq for each in stored] == list(range(1, 101))
    assert rows(database) == [(entry.id, seq) for seq, entry in enumerate(entries, 1)]


async def test_messages_whose_commit_lost_its_reply_are_stored_and_announced_once_and_in_order(
    database_url: str, make: Make
) -> None:
    announced: list[str] = []
    entries = [make(), make(client_id="a", fingerprint=b"f"), make()]
    async with lossy_commits(database_url, STORES_MESSAGES) as (database, lose_a_reply):
        journal = Journal(database)
        lose_a_reply()
        stored = await asyncio.gather(*[journal.append(each, lambda it: announced.append(it.id)) for each in entries])
        again = await journal.append(make(client_id="a", fingerprint=b"f"), lambda it: announced.append(it.id))

    assert [(each.id, each.seq) for each in stored] == [(entry.id, seq) for seq, entry in enumerate(entries, 1)]
    assert [(each.id, each.repeat) for each in stored] == [(entry.id, False) for entry in entries]
    assert (again.id, again.repeat) == (entries[1].id, True)
    assert announced == [entry.id for entry in entries]


async def test_a_single_message_whose_commit_lost_its_reply_is_looked_up_and_announced_with_its_attachments(
    database_url: str, household: Household
) -> None:
    announced: list[Stored] = []
    async with lossy_commits(database_url, STORES_MESSAGES) as (database, lose_a_reply):
        conversation_id = await database.transaction(lambda session: group_of(session, household))
        uploads = await database.transaction(lambda session: finished_uploads(session, conversation_id, household.emil))
        entry = entry_of(
            household.emil.user_id,
            household.emil.device_id,
            conversation_id,
            "group",
            attachment_ids=tuple(reversed(uploads)),
        )
        journal = Journal(database)
        lose_a_reply()
        stored = await journal.append(entry, announced.append)

    assert announced == [stored]
    assert (stored.id, stored.repeat) == (entry.id, False)
    assert [each.id for each in stored.attachments] == list(reversed(uploads))


async def test_a_message_that_could_not_be_looked_up_is_announced_when_its_sender_repeats_it(
    database_url: str, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    announced: list[str] = []
    first = make(client_id="a", fingerprint=b"f")
    async with lossy_commits(database_url, STORES_MESSAGES) as (database, lose_a_reply):
        journal = Journal(database)
        with monkeypatch.context() as patched:
            patched.setattr(halving, "HALVING_SECONDS", -1)
            lose_a_reply()
            with pytest.raises(StorageUnavailable):
                await journal.append(first, lambda it: announced.append(it.id))
        repeats = [make(client_id="a", fingerprint=b"f") for _ in range(2)]
        stored = await asyncio.gather(*[journal.append(each, lambda it: announced.append(it.id)) for each in repeats])

    assert [(each.id, each.repeat) for each in stored] == [(first.id, False), (first.id, True)]
    assert announced == [first.id]


async def test_a_stored_message_is_acknowledged_although_its_sender_was_signed_out_before_it_was_looked_up(
    database: Database, make: Make
) -> None:
    entry = make()
    await batch.write_batch(database, [entry])

    def revoke(session: Session) -> None:
        session.get_one(Device, entry.device_id).revoked_at = now()

    database.run(revoke)

    [outcome] = await batch.write_batch(database, [entry], {entry.id})
    assert isinstance(outcome, Stored)
    assert not outcome.repeat


async def test_the_journal_forgets_the_oldest_uncertain_messages_first(
    database: Database, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[list[str]] = []

    async def fail(_: Database, __: list[Entry], uncertain: Collection[str]) -> list[batch.Outcome]:
        seen.append(list(uncertain))
        raise StorageUnreachable("journal")

    monkeypatch.setattr(journal_module, "write_batch", fail)
    monkeypatch.setattr(journal_module, "MAX_UNCERTAIN", 2)
    journal, entries = Journal(database), [make() for _ in range(4)]
    for entry in entries:
        with pytest.raises(StorageUnavailable):
            await journal.append(entry, ignore)

    assert seen[-1] == [entries[1].id, entries[2].id]


async def test_a_message_brings_a_hidden_conversation_back(database: Database, journal: Journal, make: Make) -> None:
    entry = make()

    def participant(session: Session) -> Participant:
        return session.get_one(Participant, (entry.conversation_id, entry.user_id))

    def hide(session: Session) -> None:
        participant(session).hidden_at = now()

    database.run(hide)

    await journal.append(entry, ignore)

    assert database.run_read(lambda session: participant(session).hidden_at) is None


async def test_a_full_line_refuses_at_once(journal: Journal, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_commit, "MAX_WAITING", 2)
    waiting = [journal.append(make(), ignore) for _ in range(2)]

    with pytest.raises(StorageUnavailable):
        journal.append(make(), ignore)
    await asyncio.gather(*waiting)

    assert (await journal.append(make(), ignore)).seq == 3


async def test_five_journals_at_once_still_count_without_gaps(database: Database, make: Make) -> None:
    journals = [Journal(database) for _ in range(5)]

    stored = await asyncio.gather(*[journals[n % 5].append(make(), ignore) for n in range(50)])

    assert sorted(s.seq for s in stored) == list(range(1, 51))


async def test_a_database_that_fails_to_commit_acknowledges_nothing(
    database: Database, journal: Journal, make: Make
) -> None:
    if database.dialect == "sqlite":
        # Another program holds the file: the journal waits for five seconds, then fails.
        blocker = sqlite3.connect(str(database.url.database), isolation_level=None)
        blocker.execute("BEGIN IMMEDIATE")
        with pytest.raises(StorageUnavailable):
            await journal.append(make(), ignore)
        blocker.close()
    else:
        kill = text(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() "
            "AND datname = current_database()"
        )
        await journal.append(make(), ignore)
        lock = text("SELECT 1 FROM conversations FOR UPDATE")

        def hold_and_kill(session: Session) -> Stored | BaseException:
            session.execute(lock)
            future = asyncio.run_coroutine_threadsafe(_outcome(journal, make()), loop)
            while not session.execute(text("SELECT count(*) FROM pg_locks WHERE NOT granted")).scalar():
                pass
            session.execute(kill)
            return future.result()

        loop = asyncio.get_running_loop()
        outcome = await database.transaction(hold_and_kill)
        assert isinstance(outcome, StorageUnavailable)
    before = len(rows(database))

    await journal.append(make(), ignore)

    assert len(rows(database)) == before + 1


async def _outcome(journal: Journal, entry: Entry) -> Stored | BaseException:
    return (await asyncio.gather(journal.append(entry, ignore), return_exceptions=True))[0]


@pytest.mark.parametrize("url", ["sqlite:////nowhere/famichat.db", "postgresql://famichat@127.0.0.1:1/famichat"])
async def test_a_database_that_cannot_be_reached_is_unavailable(url: str, make: Make) -> None:
    away = Database(url)
    journal = Journal(away)

    with pytest.raises(StorageUnavailable):
        await journal.append(make(), ignore)

    away.close()
