"""The conversation list in pages: together they are the whole list, also while conversations become active."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import update
from sqlalchemy.orm import Session

from famichat.chat.access import conversations_of
from famichat.chat.list_cursor import ListCursor
from famichat.chat.records.conversation import Conversation
from famichat.storage.base import new_id
from famichat.storage.database import Database
from tests.factories.people import Household
from tests.factories.talk import group_of, say

CONVERSATION = "01936d3e-9c1f-7a54-8b53-2b8f1c0d9f11"
STARTED = datetime(2026, 11, 23, 5, 31, tzinfo=UTC)


@given(st.datetimes(datetime(1970, 1, 1), datetime(5000, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001 - the bounds are naive
def test_a_cursor_is_parsed_as_it_was_written(timestamp: datetime) -> None:
    cursor = ListCursor(timestamp, CONVERSATION)

    assert ListCursor.parse(str(cursor)) == cursor


@pytest.mark.parametrize(
    "text",
    [
        "",
        CONVERSATION,
        f"-1.{CONVERSATION}",
        f"1.{CONVERSATION.upper()}",
        f" 1.{CONVERSATION}",
        f"1.{CONVERSATION}\n",
        f"\u0661.{CONVERSATION}",
        f"{10**17}.{CONVERSATION}",
        f"1.{'-' * 36}",
        "1.1' OR '1'='1",
    ],
)
def test_a_malformed_cursor_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(ValueError, match="must be the `next_cursor` of an earlier page"):
        ListCursor.parse(text)


def test_the_latest_cursor_is_a_valid_time() -> None:
    assert ListCursor.parse(f"{10**17 - 1}.{CONVERSATION}").updated_at.year == 5138


def _seven_groups_at_three_times(session: Session, household: Household) -> list[str]:
    ids = [group_of(session, household) for _ in range(7)]
    for number, conversation_id in enumerate(ids):
        at = STARTED + timedelta(microseconds=number % 3)
        session.execute(update(Conversation).where(Conversation.id == conversation_id).values(updated_at=at))
    return ids


def _ids(session: Session, household: Household, after: ListCursor | None, limit: int | None) -> list[str]:
    found = conversations_of(session, household.maja.user_id, after=after, limit=limit)
    return [each.conversation.id for each in found]


def _end(session: Session, conversation_id: str) -> ListCursor:
    """Return the cursor after a conversation, through its text."""
    return ListCursor.parse(str(ListCursor.of(session.get_one(Conversation, conversation_id))))


def test_pages_of_each_size_together_are_the_whole_list(database: Database, household: Household) -> None:
    ids = database.run(lambda session: _seven_groups_at_three_times(session, household))

    def paged(session: Session, size: int) -> list[str]:
        found = page = _ids(session, household, None, size)
        while page:
            page = _ids(session, household, _end(session, page[-1]), size)
            found = found + page
        return found

    whole = database.run_read(lambda session: _ids(session, household, None, None))
    assert sorted(whole) == sorted(ids)
    for size in range(1, 9):
        assert database.run_read(lambda session, s=size: paged(session, s)) == whole  # type: ignore[misc]  # mypy cannot infer a lambda's defaults


def test_a_cursor_continues_behind_a_conversation_that_is_gone(database: Database, household: Household) -> None:
    database.run(lambda session: _seven_groups_at_three_times(session, household))
    whole = database.run_read(lambda session: _ids(session, household, None, None))
    gone = ListCursor(STARTED + timedelta(microseconds=1), new_id())

    behind = database.run_read(lambda session: _ids(session, household, gone, None))

    assert behind == whole[-len(behind) :]
    assert len(behind) == 5


@pytest.mark.parametrize("active", [1, 3, 6])
def test_a_conversation_that_becomes_active_between_pages_is_in_front_or_behind(
    database: Database, household: Household, active: int
) -> None:
    database.run(lambda session: _seven_groups_at_three_times(session, household))
    whole = database.run_read(lambda session: _ids(session, household, None, None))
    end = database.run_read(lambda session: _end(session, whole[2]))
    database.run(lambda session: say(session, whole[active], household.emil, "hej"))

    rest = database.run_read(lambda session: _ids(session, household, end, None))
    front = database.run_read(lambda session: _ids(session, household, None, 1))

    assert front == [whole[active]]
    assert rest == [each for each in whole[3:] if each != whole[active]]
