"""A transaction that lost a race gets its turn, also while another node writes messages without a pause."""

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait

import pytest
from sqlalchemy.orm import Session

from famichat.chat.lock import lock_conversations
from famichat.chat.records.conversation import Conversation
from famichat.storage.database import Database
from famichat.telemetry.events import Event, TransactionRetried
from tests.factories.people import Household
from tests.factories.talk import group_of
from tests.support.postgres import Spare


@pytest.fixture
def database_url(spare_postgres: Spare) -> Iterator[str]:
    """Only PostgreSQL: the one writer of SQLite loses no race."""
    yield spare_postgres.take()
    spare_postgres.give_back()


@pytest.fixture
def other_node(database: Database) -> Iterator[Database]:
    """A second process that writes messages to the same database."""
    opened = Database(database.url.render_as_string())
    yield opened
    opened.close()


def send(node: Database, conversation_id: str) -> None:
    with node.journal_transaction([conversation_id]) as cursor:
        cursor.execute("UPDATE conversations SET last_seq = last_seq + 1 WHERE id = %s", (conversation_id,))


async def test_a_repeated_transaction_stops_the_journals_in_its_conversation_only(
    database: Database, other_node: Database, household: Household
) -> None:
    busy, other = database.run(lambda session: [group_of(session, household), group_of(session, household)])
    attempts: list[str] = []
    sending = ThreadPoolExecutor(1)
    sent: list[Future[None]] = []

    def work(session: Session) -> bool:
        attempts.append(busy)
        session.get_one(Conversation, busy)  # takes the snapshot
        send(other_node, other)
        if len(attempts) == 1:
            send(other_node, busy)
            lock_conversations(session, [busy])
        sent.append(sending.submit(send, other_node, busy))
        assert wait(sent, 0.1).not_done  # a chance to be stored, if nothing stopped it
        lock_conversations(session, [busy])
        return sent[0].done()

    assert not await database.transaction(work)
    sent[0].result(5)
    sending.shutdown()

    assert len(attempts) == 2
    assert database.run_read(lambda session: session.get_one(Conversation, busy).last_seq) == 2


async def test_a_journal_at_full_speed_makes_a_transaction_lose_at_most_once(
    database: Database, other_node: Database, household: Household, emitted: list[Event]
) -> None:
    busy = database.run(lambda session: group_of(session, household))
    removals = 20
    stop, sent = threading.Event(), threading.Semaphore(0)

    def send_without_a_pause() -> None:
        while not stop.is_set():
            send(other_node, busy)
            sent.release()

    def work(session: Session) -> None:
        session.get_one(Conversation, busy)
        lock_conversations(session, [busy])

    journal = threading.Thread(target=send_without_a_pause)
    journal.start()
    try:
        for _ in range(removals):
            assert sent.acquire(timeout=5)  # the journal gets its turns, too
            await database.between_batches(work)
    finally:
        stop.set()
        journal.join()

    assert {each.attempt for each in emitted if isinstance(each, TransactionRetried)} <= {1}


async def test_a_turn_ends_with_the_transaction_also_if_it_is_refused(
    database: Database, other_node: Database, household: Household
) -> None:
    busy = database.run(lambda session: group_of(session, household))
    attempts: list[str] = []

    def work(session: Session) -> None:
        session.get_one(Conversation, busy)
        attempts.append(busy)
        if len(attempts) == 1:
            send(other_node, busy)
            lock_conversations(session, [busy])
        raise LookupError(busy)

    with pytest.raises(LookupError):
        await database.transaction(work)
    send(other_node, busy)

    assert len(attempts) == 2
