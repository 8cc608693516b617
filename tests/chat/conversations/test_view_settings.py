"""Hiding, archiving, muting, pinning and marking as unread: separate for each member, and idempotent."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from sqlalchemy.orm import Session

from famichat.chat.access import conversation_for
from famichat.chat.conversations.create import create_family_conversation
from famichat.chat.conversations.view import views_by_member
from famichat.chat.conversations.view_settings import (
    MUTED_INDEFINITELY,
    ViewSettingsResult,
    archive_conversation,
    hide_conversation,
    mark_conversation_unread,
    mute_conversation,
    pin_conversation,
    unarchive_conversation,
    unhide_conversation,
    unmark_conversation_unread,
    unmute_conversation,
    unpin_conversation,
)
from famichat.chat.encryption_policy import EncryptionPolicies
from famichat.chat.errors import NotFound
from famichat.chat.journal.entry import Entry
from famichat.chat.journal.journal import Journal
from famichat.chat.records.conversation import CONVERSATION_TYPES, Conversation
from famichat.chat.records.participant import participants
from famichat.storage.base import new_id, now
from famichat.storage.database import Database
from tests.factories.people import VAULT, Household, Person, join, person
from tests.factories.talk import direct_of, group_of

Change = Callable[..., ViewSettingsResult]
POLICIES = EncryptionPolicies(dict.fromkeys(CONVERSATION_TYPES, "optional"))
CHANGES: list[Change] = [
    hide_conversation,
    unhide_conversation,
    archive_conversation,
    unarchive_conversation,
    mute_conversation,
    unmute_conversation,
    pin_conversation,
    unpin_conversation,
    mark_conversation_unread,
    unmark_conversation_unread,
]
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
        (hide_conversation, unhide_conversation, (True, False, None)),
        (archive_conversation, unarchive_conversation, (False, True, None)),
        (mute_conversation, unmute_conversation, (False, False, MUTED_INDEFINITELY)),
    ):
        assert [change(database, what, maja, direct_id) for what in (do, do, undo, undo)] == [
            done,
            done,
            (False, False, None),
            (False, False, None),
        ]


@pytest.mark.parametrize(
    ("do", "undo", "column"),
    [
        (pin_conversation, unpin_conversation, "pinned_at"),
        (mark_conversation_unread, unmark_conversation_unread, "marked_unread_at"),
    ],
)
def test_pins_and_unread_marks_are_each_persons_own_and_can_be_removed(
    database: Database, household: Household, direct_id: str, do: Change, undo: Change, column: str
) -> None:
    def times() -> list[datetime | None]:
        return database.run_read(
            lambda session: [
                getattr(conversation_for(session, who.user_id, direct_id).participant, column)
                for who in (household.maja, household.emil)
            ]
        )

    change(database, do, household.maja, direct_id)
    first = times()
    change(database, do, household.maja, direct_id)
    assert times() == first
    assert [each is not None for each in first] == [True, False]
    assert state(database, household.maja, direct_id) == (False, False, None)
    change(database, undo, household.maja, direct_id)
    assert times() == [None, None]


def test_hiding_again_keeps_the_first_time(database: Database, household: Household, direct_id: str) -> None:
    first, second = (
        database.run(
            lambda session: hide_conversation(session, household.maja.user_id, direct_id)
        ).access.participant.hidden_at
        for _ in range(2)
    )

    assert first == second


def test_it_is_each_persons_own(database: Database, household: Household, direct_id: str) -> None:
    for what in (hide_conversation, archive_conversation, mute_conversation):
        change(database, what, household.maja, direct_id)

    assert state(database, household.emil, direct_id) == (False, False, None)


def test_muting_may_end(database: Database, household: Household, direct_id: str) -> None:
    end = now() + timedelta(hours=1)
    database.run(lambda session: mute_conversation(session, household.maja.user_id, direct_id, end))

    assert state(database, household.maja, direct_id)[2] == end
    assert datetime.max.replace(tzinfo=UTC) == MUTED_INDEFINITELY


@pytest.mark.parametrize("what", CHANGES)
def test_an_outsider_cannot(database: Database, household: Household, direct_id: str, what: Change) -> None:
    for user_id, conversation_id in (
        (household.ada.user_id, direct_id),
        (household.maja.user_id, new_id()),
        (household.maja.user_id, "malformed"),
    ):
        with pytest.raises(NotFound):
            database.run(lambda session, u=user_id, c=conversation_id: what(session, u, c))  # type: ignore[misc]  # mypy cannot infer a lambda's defaults


async def test_fifty_people_hide_at_once_and_all_of_it_is_kept(database: Database, household: Household) -> None:
    conversation_id, people = database.run(lambda session: big_family(session, household))
    hides = [partial(hide_conversation, user_id=who, conversation_id=conversation_id) for who in people]

    seen = await asyncio.gather(*(database.transaction(hide) for hide in hides * 2))

    views = database.run_read(lambda session: views_by_member(session, conversation_id, POLICIES, VAULT))

    assert len(people) == 50
    assert {who: view["hidden_by_users"] for who, view in views.items()} == {who: [who] for who in people}
    assert sum(each.changed for each in seen) == 50


def test_only_admins_of_a_group_see_who_else_has_hidden_it(database: Database, household: Household) -> None:
    maja, emil, inga = household.maja.user_id, household.emil.user_id, household.inga.user_id
    group_id = database.run(lambda session: group_of(session, household))
    direct_id = database.run(lambda session: direct_of(session, household))
    for who, conversation_id in ((emil, group_id), (inga, group_id), (emil, direct_id)):
        database.run(partial(hide_conversation, user_id=who, conversation_id=conversation_id))

    def hidden_by_users(session: Session, conversation_id: str) -> dict[str, list[str]]:
        views = views_by_member(session, conversation_id, POLICIES, VAULT)
        return {who: sorted(view["hidden_by_users"]) for who, view in views.items()}

    in_group = database.run_read(lambda session: hidden_by_users(session, group_id))
    in_direct = database.run_read(lambda session: hidden_by_users(session, direct_id))
    assert in_group == {maja: sorted([emil, inga]), emil: [emil], inga: [inga]}
    assert in_direct == {maja: [], emil: [emil]}


def big_family(session: Session, household: Household) -> tuple[str, list[str]]:
    """The Sundqvists' family conversation, with cousins added up to fifty members."""
    for number in range(46):
        join(session, household.family_id, person(session, f"cousin{number}"))
    made = create_family_conversation(session, household.maja.user_id, household.family_id)
    return made.conversation.id, participants(session, made.conversation.id)


@pytest.mark.parametrize(("do", "undo"), [CHANGES[0:2], CHANGES[2:4], CHANGES[4:6]])
def test_the_result_says_whether_anything_changed(
    database: Database, household: Household, direct_id: str, do: Change, undo: Change
) -> None:
    outcomes = [
        database.run(partial(what, user_id=household.maja.user_id, conversation_id=direct_id)).changed
        for what in (undo, do, do, undo, undo)
    ]

    assert outcomes == [False, True, False, True, False]


async def test_the_next_message_shows_a_hidden_conversation_and_keeps_an_archived_one(
    database: Database, household: Household, direct_id: str, journal: Journal
) -> None:
    for what in (hide_conversation, archive_conversation, mute_conversation):
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

    assert state(database, household.maja, direct_id) == (False, True, MUTED_INDEFINITELY)
    assert database.run_read(lambda session: session.get_one(Conversation, direct_id).last_seq) == 1
