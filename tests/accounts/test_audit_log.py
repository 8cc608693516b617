from functools import partial

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from famichat.accounts.audit_log import ACTIONS, Action, AuditEvent, AuditLogEntry, audit_log_of, record
from famichat.accounts.user import User
from famichat.storage.base import new_id
from famichat.storage.database import Database
from tests.factories.people import Household

RESET = AuditEvent("password_reset")


def entries(database: Database, user_id: str) -> list[AuditLogEntry]:
    return database.run_read(lambda session: audit_log_of(session, user_id).entries)


def test_an_entry_names_the_actor_the_action_and_the_subject_as_of_then(
    database: Database, household: Household
) -> None:
    maja, emil = household.maja.user_id, household.emil.user_id
    group_id, message_id = new_id(), new_id()
    event = AuditEvent("message_deleted", name="Fika", conversation_id=group_id, message_id=message_id)
    database.run(lambda session: record(session, event, concerning=emil, by=maja))
    database.run(lambda session: setattr(session.get_one(User, maja), "username", "Maja B"))

    (entry,) = entries(database, emil)
    assert (entry.action, entry.name, entry.by_id, entry.by_name) == ("message_deleted", "Fika", maja, "maja")
    assert (entry.conversation_id, entry.message_id, entry.family_id) == (group_id, message_id, None)
    assert entries(database, maja) == []


def test_the_operator_has_no_id_and_no_name(database: Database, household: Household) -> None:
    database.run(lambda session: record(session, RESET, concerning=household.emil.user_id, by=None))

    (entry,) = entries(database, household.emil.user_id)
    assert (entry.by_id, entry.by_name) == (None, None)


def test_actions_on_the_own_account_are_not_recorded(database: Database, household: Household) -> None:
    emil = household.emil.user_id
    database.run(lambda session: record(session, RESET, concerning=emil, by=emil))

    assert entries(database, emil) == []


def test_a_rolled_back_action_is_not_recorded(database: Database, household: Household) -> None:
    def work(session: Session) -> None:
        record(session, RESET, concerning=household.emil.user_id, by=None)
        raise LookupError

    with pytest.raises(LookupError):
        database.run(work)

    assert entries(database, household.emil.user_id) == []


def test_the_newest_comes_first_and_pages_join_without_a_gap(database: Database, household: Household) -> None:
    emil = household.emil.user_id
    for name in "abcde":
        event = AuditEvent("group_member_removed", name=name)
        database.run(partial(record, event=event, concerning=emil, by=None))

    first = database.run_read(lambda session: audit_log_of(session, emil, limit=3))
    rest = database.run_read(lambda session: audit_log_of(session, emil, first.entries[-1].id, limit=3))

    assert [each.name for each in first.entries] == ["e", "d", "c"]
    assert [each.name for each in rest.entries] == ["b", "a"]
    assert (first.has_more, rest.has_more) == (True, False)


@pytest.mark.parametrize("action", ACTIONS)
def test_the_database_knows_every_action_and_asks_for_a_role_where_one_changed(
    database: Database, household: Household, action: Action
) -> None:
    roles = ("admin", "member") if action.endswith("role_changed") else (None,)
    for role in roles:
        event = AuditEvent(action, role=role)  # type: ignore[arg-type]  # one of them
        database.run(partial(record, event=event, concerning=household.emil.user_id, by=None))
    wrong = AuditEvent(action, role="admin" if roles == (None,) else None)
    with pytest.raises(DBAPIError, match="role"):
        database.run(lambda session: record(session, wrong, concerning=household.emil.user_id, by=None))

    assert len(entries(database, household.emil.user_id)) == len(roles)


EVERYWHERE = [
    "UPDATE ledger_entries SET name = 'x'",
    "UPDATE ledger_entries SET user_id = by_id WHERE by_id IS NOT NULL",
    "DELETE FROM ledger_entries",
]
REPLACE = (
    "INSERT OR REPLACE INTO ledger_entries (id, user_id, action, inserted_at) "
    "SELECT id, user_id, 'account_deleted', inserted_at FROM ledger_entries"
)
UPSERT = (
    "INSERT INTO ledger_entries SELECT * FROM ledger_entries WHERE true "
    "ON CONFLICT (id) DO UPDATE SET action = 'account_deleted'"
)
ONLY_HERE = {
    "sqlite": [REPLACE, UPSERT],
    "postgresql": ["TRUNCATE ledger_entries", "TRUNCATE accounts_users CASCADE", UPSERT],
}


def test_entries_are_never_changed_or_deleted(database: Database, household: Household) -> None:
    maja, emil = household.maja.user_id, household.emil.user_id
    database.run(lambda session: record(session, RESET, concerning=emil, by=maja))
    (before,) = entries(database, emil)

    for statement in EVERYWHERE + ONLY_HERE[database.dialect]:
        with pytest.raises(DBAPIError, match="ledger_is_append_only"):
            database.run(partial(Session.execute, statement=text(statement)))

    (after,) = entries(database, emil)
    assert (after.id, after.action, after.user_id, after.name) == (before.id, "password_reset", emil, None)
