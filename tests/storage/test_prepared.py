"""A prepared query returns the rows that SQLAlchemy returns, on both databases, and raises its exceptions."""

from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Select, bindparam, case, func, select, text, union
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from famichat.accounts.user import User
from famichat.chat.records.conversation import Conversation
from famichat.chat.records.participant import Participant
from famichat.storage.database import Database
from famichat.storage.errors import StorageUnavailable
from famichat.storage.prepared import Prepared
from tests.factories.people import Household
from tests.factories.talk import group_of
from tests.support.statements import read_statements

QUERIES: dict[str, Any] = {
    "every type of column": select(
        User.id, User.inserted_at, User.deleted_at, User.presence_notices, User.password_hash
    )
    .where(User.id.in_(bindparam("user_ids", expanding=True)))
    .order_by(User.id),
    "an expression with constants": select(
        func.coalesce(User.deleted_at, User.inserted_at), case((User.presence_notices, 1))
    )
    .where(User.id == bindparam("user_id"), User.inserted_at > datetime(2020, 1, 1, tzinfo=UTC))
    .limit(bindparam("limit")),
    "a union": union(select(User.id).where(User.id == bindparam("user_id")), select(User.id).where(User.id.is_(None))),
}


@pytest.mark.parametrize("name", QUERIES)
def test_the_rows_are_those_of_the_orm(database: Database, household: Household, name: str) -> None:
    query = QUERIES[name]
    ids = [each.user_id for each in household.everyone]
    values = {"user_ids": ids, "user_id": ids[0], "limit": 1}
    wanted = {key: value for key, value in values.items() if key in query.compile().params}

    expected = database.run_read(lambda session: [tuple(row) for row in session.execute(query, wanted)])
    prepared: Prepared[object] = Prepared(query)

    assert expected
    assert database.run_read(lambda session: prepared.rows(session, **wanted)) == expected


def test_lists_of_any_length_are_accepted(database: Database, household: Household) -> None:
    query = select(User.id).where(User.id.in_(bindparam("user_ids", expanding=True)))
    prepared = Prepared[str](query)
    ids = [each.user_id for each in household.everyone]

    for count in (0, 1, len(ids), 0):
        rows = database.run_read(partial(prepared.rows, user_ids=ids[:count]))
        assert sorted(rows) == sorted((each,) for each in ids[:count])


def test_a_query_is_compiled_once_whatever_the_lengths_of_its_lists(
    database: Database, household: Household, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared = Prepared[str](select(User.id).where(User.id.in_(bindparam("user_ids", expanding=True))))
    compiled, compile_ = list[object](), Select.compile

    def counted(query: Any, **options: Any) -> Any:
        compiled.append(query)
        return compile_(query, **options)

    monkeypatch.setattr(Select, "compile", counted)

    def work(session: Session) -> None:
        for length in (*range(100), *range(100)):
            prepared.rows(session, user_ids=[household.maja.user_id] * length)

    database.run_read(work)
    assert len(compiled) == 1


def test_what_the_session_has_not_written_yet_is_read(database: Database, household: Household) -> None:
    names = Prepared[str](select(Conversation.name).where(Conversation.id == bindparam("id")))
    group = database.run(lambda session: group_of(session, household))

    def rename(session: Session) -> list[tuple[str]]:
        found = session.get_one(Conversation, group)
        found.name = "Sunday"
        return names.rows(session, id=group)

    assert database.run(rename) == [("Sunday",)]


def test_the_exception_of_the_driver_is_wrapped(database: Database) -> None:
    prepared = Prepared[int](select(text("1 FROM no_such_table")).select_from(Participant.__table__))

    with pytest.raises((DBAPIError, StorageUnavailable)) as raised:
        database.run_read(prepared.rows)

    # SQLite reports this as an OperationalError, which the database explains as StorageUnavailable.
    error = raised.value.__cause__ if isinstance(raised.value, StorageUnavailable) else raised.value
    assert isinstance(error, DBAPIError)
    assert "no_such_table" in str(error)


def test_prepared_statements_are_counted(database: Database) -> None:
    prepared = Prepared[int](select(func.count()).select_from(User))

    with read_statements(database) as seen:
        assert database.run_read(prepared.rows) == [(0,)]

    assert len(seen) == 1
