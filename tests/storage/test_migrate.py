from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from sqlalchemy import Connection, MetaData, text

import famichat.accounts.audit_log
import famichat.accounts.device
import famichat.accounts.idempotency
import famichat.accounts.invite
import famichat.accounts.names.taken_names
import famichat.accounts.profile
import famichat.accounts.sign_in.login_throttle
import famichat.accounts.sign_in.passkey
import famichat.accounts.sign_in.session
import famichat.accounts.user
import famichat.chat.records.attachment
import famichat.chat.records.contact
import famichat.chat.records.conversation
import famichat.chat.records.family
import famichat.chat.records.group_privilege
import famichat.chat.records.message
import famichat.chat.records.message_edit
import famichat.chat.records.mls
import famichat.chat.records.participant
import famichat.chat.records.reaction
import famichat.chat.records.receipt
import famichat.chat.records.reset_agreement
import famichat.e2ee.account_key
import famichat.e2ee.device_keys
import famichat.e2ee.key_package
import famichat.e2ee.key_share
import famichat.push.position
import famichat.push.preferences
import famichat.push.subscription  # noqa: F401 - the models must be known to be compared
from famichat.storage import (
    epoch,  # noqa: F401 - they, too, are models
    migrate,
    rate_bucket,  # noqa: F401
)
from famichat.storage.base import new_id
from famichat.storage.crypto import vault_keys  # noqa: F401 - they, too, are models
from famichat.storage.database import Database
from famichat.storage.integrity import damaged_rows
from famichat.storage.revision import NewerDatabaseError, newest
from tests.support.postgres import Postgres


def test_the_models_and_the_migrated_database_agree(database: Database) -> None:
    migrate.check(database)


def test_migrating_a_migrated_database_changes_nothing(database: Database) -> None:
    before, after = migrate.upgrade(database)

    assert before == after


def test_a_database_of_a_newer_famichat_is_refused(database: Database) -> None:
    database.run(lambda session: session.execute(text("UPDATE alembic_version SET version_num = '9999'")))

    with pytest.raises(NewerDatabaseError, match="9999"):
        migrate.upgrade(database)


OLD = """
INSERT INTO accounts_users (id, username, username_key, username_look, password_hash, read_notices, typing_notices,
  inserted_at, updated_at) VALUES (:emil, 'emil', 'emil', 'emil', 'x', :yes, :yes, :then, :then),
  (:inga, 'inga', 'inga', 'inga', 'x', :yes, :yes, :then, :then);
INSERT INTO accounts_devices (id, user_id, name, created_at, last_seen_at)
  VALUES (:phone, :emil, 'phone', :then, :then);
INSERT INTO accounts_refresh_tokens (id, device_id, token_hash, created_at, expires_at, used_at)
  VALUES (:one, :phone, :one_hash, :then, :then, :then), (:two, :phone, :two_hash, :then, :then, NULL);
INSERT INTO families (id, name, created_at, updated_at) VALUES (:home, 'Sundqvist', :then, :then);
INSERT INTO family_memberships (family_id, user_id, role, joined_at) VALUES (:home, :emil, 'admin', :then);
INSERT INTO conversations (id, type, family_id, created_by_id, last_seq, encryption_required, created_at, updated_at)
  VALUES (:talk, 'family', :home, :emil, 3, :no, :then, :then);
INSERT INTO conversation_participants (conversation_id, user_id, joined_at, visible_from_seq)
  VALUES (:talk, :emil, :then, 1);
INSERT INTO messages (id, conversation_id, seq, user_id, device_id, message_type, body, encryption_flag, inserted_at)
  VALUES (:one, :talk, 1, :emil, :phone, 'text', :body, :no, :then);
INSERT INTO messages (id, conversation_id, seq, user_id, device_id, message_type, body, encryption_flag, inserted_at)
  VALUES (:other, :talk, 2, :inga, NULL, 'text', :body, :no, :then);
INSERT INTO messages (id, conversation_id, seq, user_id, device_id, message_type, body, encryption_flag, inserted_at,
  reply_to_id) VALUES (:two, :talk, 3, :emil, :phone, 'text', :body, :no, :then, :one)
"""


def test_an_old_database_with_people_and_messages_in_it_keeps_them_all(empty_url: str) -> None:
    database = Database(empty_url)
    with database.migrating() as connection:
        command.upgrade(migrate._config(connection), "0001")
        ids = {name: new_id() for name in ("emil", "inga", "phone", "home", "talk", "one", "other", "two")}
        then = datetime(2026, 11, 23, tzinfo=UTC) if database.dialect == "postgresql" else "2026-11-23 05:30:12.345678"
        for statement in OLD.split(";\n"):
            hashes = {"one_hash": b"\1" * 32, "two_hash": b"\2" * 32}
            values = {**ids, **hashes, "then": then, "yes": True, "no": False, "body": b"sealed"}
            connection.execute(text(statement), values)
        before = everything(connection)

    assert migrate.upgrade(database) == ("0001", newest())

    with database.migrating() as connection:
        after = everything(connection)
    assert {table: rows(after[table], of=before[table]) for table in before} == before
    assert {(each["form"], each["name"]) for each in after["family_member_names"]} == {
        ("key", "emil"),
        ("look", "emil"),
    }
    generations = sorted((each["token_hash"], each["generation"]) for each in after["accounts_refresh_tokens"])
    assert generations == [(b"\1" * 32, 0), (b"\2" * 32, 1)], "the newest refresh token comes after the used one"
    assert sorted((each["seq"], each["sender_seq"]) for each in after["messages"]) == [(1, 1), (2, 1), (3, 2)]
    for table in ("messages", "accounts_users", "accounts_devices", "families", "conversation_participants"):
        assert all(each["checksum"] is not None for each in after[table]), table
    assert database.run_read(lambda session: list(damaged_rows(session))) == []
    references = text("DELETE FROM accounts_devices")
    database.run(lambda session: session.execute(references))
    sent = text("SELECT device_id FROM messages")
    assert set(database.run_read(lambda session: session.execute(sent).scalars())) == {None}, "rules hold again"
    database.close()


def everything(connection: Connection) -> dict[str, list[dict[str, Any]]]:
    """The rows of every table that has any."""
    tables = MetaData()
    tables.reflect(connection)
    return {
        name: found
        for name, table in tables.tables.items()
        if name != "alembic_version" and (found := [dict(row._mapping) for row in connection.execute(table.select())])
    }


def rows(found: list[dict[str, Any]], *, of: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the same rows with the earlier columns only."""
    return [{name: row[name] for name in of[0]} for row in found]


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database without a schema."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'old.db'}"
        return
    cluster: Postgres = request.getfixturevalue("postgres")
    yield cluster.create("of_an_old_version")
    cluster.drop("of_an_old_version")
