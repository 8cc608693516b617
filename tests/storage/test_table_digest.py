"""Digests of tables: equal for equal rows, on both databases, and different after any change."""

import hashlib
from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from famichat.storage.backup.record import BackupRecord
from famichat.storage.base import Base
from famichat.storage.database import Database
from famichat.storage.table_digest import TableDigest, digest_of, digests_of_all
from tests.factories.people import Household
from tests.factories.talk import direct_of, say

ID = "019a21c4-166d-70a3-8a1b-34628bd00000"


def digest(database: Database, record: type[Base]) -> TableDigest:
    return database.run_read(
        lambda session: digest_of(session.connection(), Base.metadata.tables[record.__tablename__])
    )


def test_a_row_has_the_same_digest_in_both_databases(database: Database) -> None:
    at, rfc3339 = datetime(2026, 11, 23, 5, 30, 12, 345678, tzinfo=UTC), "2026-11-23T05:30:12.345678+00:00"
    made = BackupRecord(id=ID, started_at=at, finished_at=at, file="a.tar", bytes=7, messages=1)
    database.run(lambda session: session.add(made))
    row = f'["{ID}","{rfc3339}","{rfc3339}","a.tar",7,1,null,null]\n'

    assert digest(database, BackupRecord) == TableDigest(1, hashlib.sha256(row.encode()).hexdigest())


@pytest.mark.parametrize(
    "change", ["UPDATE accounts_users SET username = 'x' WHERE username = 'maja'", "DELETE FROM messages"]
)
def test_a_changed_row_changes_the_digest_of_its_table_only(
    database: Database, household: Household, change: str
) -> None:
    database.run(lambda session: say(session, direct_of(session, household), household.maja, "hej"))
    before = database.run_read(lambda session: digests_of_all(session.connection()))
    database.run(lambda session: session.execute(text(change)))
    after = database.run_read(lambda session: digests_of_all(session.connection()))

    changed = {name for name in before if before[name] != after[name]}
    assert changed == {change.split()[1] if change.startswith("UPDATE") else change.split()[2]}
    assert before["messages"].rows == 1
