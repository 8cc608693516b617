"""Hiding, archiving and muting: each person's own, and twice is once."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from famichat.chat.access import Access, conversation_for
from famichat.chat.conversation import Conversation
from famichat.chat.errors import NotFound
from famichat.chat.participant import Participant
from famichat.chat.visibility import FOR_EVER, archive, hide, mute, unarchive, unhide, unmute
from famichat.storage.base import new_id, now
from famichat.storage.database import Database
from famichat.storage.entry import Entry
from famichat.storage.journal import Journal
from tests.factories.people import Household, Person
from tests.factories.talk import direct_of, group_of

Change = Callable[[Session, str, str], Access]
CHANGES: list[Change] = [hide, unhide, archive, unarchive, mute, unmute]
State = tuple[bool, bool, datetime | None]


@pytest.fixture
def direct_id(database: Database, household: Household) -> str:
    return database.run(lambda session: direct_of(session, household))


@pytest.fixture
async def journal(database: Database) -> AsyncIterator[Journal]:
    opened = Journal(database)
    yield opened
    await opened.close()


def change(database: Database, what: Change, who: Person, conversation_id: str) -> State:
    database.run(lambda session: what(session, who.user_id, conversation_id))
    return state(database, who, conversation_id)


def state(database: Database, who: Person, conversation_id: str) -> State:
    place = database.run_read(lambda session: conversation_for(session, who.user_id, conversation_id)).participant
    return place.hidden_at is not None, place.archived_at is not None, place.muted_until


def test_each_is_done_and_undone_and_twice_is_once(database: Database, household: Household, direct_id: str) -> None:
    maja = household.maja

    for do, undo, done in (
        (hide, unhide, (True, False, None)),
        (archive, unarchive, (False, True, None)),
        (mute, unmute, (False, False, FOR_EVER)),
    ):
        assert [change(database, what, maja, direct_id) for what in (do, do, undo, undo)] == [
            done,
            done,
            (False, False, None),
            (False, False, None),
        ]


def test_hiding_again_keeps_the_first_time(database: Database, household: Household, direct_id: str) -> None:
    first, second = (
        database.run(lambda session: hide(session, household.maja.user_id, direct_id)).participant.hidden_at
        for _ in range(2)
    )

    assert first == second


def test_it_is_each_persons_own(database: Database, household: Household, direct_id: str) -> None:
    for what in (hide, archive, mute):
        change(database, what, household.maja, direct_id)

    assert state(database, household.emil, direct_id) == (False, False, None)


def test_muting_may_end(database: Database, household: Household, direct_id: str) -> None:
    end = now() + timedelta(hours=1)
    database.run(lambda session: mute(session, household.maja.user_id, direct_id, end))

    assert state(database, household.maja, direct_id)[2] == end
    assert datetime.max.replace(tzinfo=UTC) == FOR_EVER


@pytest.mark.parametrize("what", CHANGES)
def test_who_is_not_in_it_cannot(database: Database, household: Household, direct_id: str, what: Change) -> None:
    for user_id, conversation_id in (
        (household.ada.user_id, direct_id),
        (household.maja.user_id, new_id()),
        (household.maja.user_id, "malformed"),
    ):
        with pytest.raises(NotFound):
            database.run(lambda session, u=user_id, c=conversation_id: what(session, u, c))  # type: ignore[misc]  # mypy cannot infer a lambda's defaults


async def test_hiding_by_many_at_once_is_all_kept(database: Database, household: Household) -> None:
    group_id = database.run(lambda session: group_of(session, household))
    people = [household.maja, household.emil, household.inga] * 8
    await asyncio.gather(
        *(database.transaction(lambda session, who=who: hide(session, who.user_id, group_id)) for who in people)  # type: ignore[misc]  # mypy cannot infer a lambda's default
    )

    def hidden(session: Session) -> list[bool]:
        rows = session.execute(select(Participant).where(Participant.conversation_id == group_id))
        return [place.hidden_at is not None for place in rows.scalars()]

    assert database.run_read(hidden) == [True, True, True]


async def test_the_next_message_shows_what_is_hidden_and_leaves_what_is_archived(
    database: Database, household: Household, direct_id: str, journal: Journal
) -> None:
    for what in (hide, archive, mute):
        change(database, what, household.maja, direct_id)
    entry = Entry(
        id=new_id(),
        conversation_id=direct_id,
        conversation_type="direct",
        user_id=household.emil.user_id,
        device_id=household.emil.device_id,
        message_type="text",
        body=b"sealed",
        client_id=None,
        fingerprint=None,
        reply_to_id=None,
        encryption_flag=False,
        encryption_version=None,
        key_id=None,
    )
    await journal.append(entry, lambda _stored: None)

    assert state(database, household.maja, direct_id) == (False, True, FOR_EVER)
    assert database.run_read(lambda session: session.get_one(Conversation, direct_id).last_seq) == 1
