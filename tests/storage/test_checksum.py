"""Row checksums: the journal and the ORM compute the same, changes keep them right, and old rows get them."""

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import text, update
from sqlalchemy.orm import Session

from famichat.accounts.device import Device, revoke_devices
from famichat.accounts.names.display_name import parse_display_name
from famichat.accounts.profile import change_profile
from famichat.accounts.user import User
from famichat.chat.conversations.rename import rename
from famichat.chat.conversations.view_settings import archive_conversation
from famichat.chat.encryption_policy import EncryptionPolicies, remember_required
from famichat.chat.families.membership import change_role
from famichat.chat.groups.roles import assign_admin
from famichat.chat.journal.batch import write_batch
from famichat.chat.records.conversation import CONVERSATION_TYPES, Conversation
from famichat.chat.records.family import Family, FamilyMembership
from famichat.chat.records.group_privilege import GroupPrivilege
from famichat.chat.records.message import Message
from famichat.chat.records.message_edit import MessageEdit
from famichat.chat.records.participant import Participant
from famichat.chat.records.reaction import Reaction
from famichat.storage import integrity
from famichat.storage.checksum import row_checksum
from famichat.storage.database import Database
from famichat.storage.integrity import damaged_rows
from tests.factories.people import Household
from tests.factories.talk import direct_of, do, edit, entry_of, group_of, react, say


def test_every_value_counts_and_a_null_value_does_not() -> None:
    row: dict[str, Any] = {"id": "x", "seq": 1, "body": b"x", "at": datetime(2026, 11, 30, tzinfo=UTC), "flag": False}
    changes: list[dict[str, Any]] = [
        {"id": "y"},
        {"seq": 2},
        {"body": b"y"},
        {"at": datetime(2027, 11, 30, tzinfo=UTC)},
        {"flag": True},
    ]

    assert len({row_checksum({**row, **change}) for change in ({}, *changes)}) == 6
    assert row_checksum({**row, "new": None}) == row_checksum(row)


async def test_the_journal_computes_what_the_orm_computes(database: Database, household: Household) -> None:
    conversation_id = database.run(lambda session: direct_of(session, household))
    encrypted = {"encryption_flag": True, "encryption_version": "1", "key_id": "k", "protocol": "mls", "epoch": 7}
    entries = [
        entry_of(conversation_id, household.maja),
        entry_of(conversation_id, household.maja, client_id="a", fingerprint=b"f" * 32),
        entry_of(conversation_id, household.maja, **encrypted, sender_device_id=household.maja.device_id),
    ]
    await write_batch(database, entries)

    def read(session: Session) -> list[tuple[bool, bool]]:
        return [(row.checksum is None, row.is_intact) for row in session.query(Message)]

    assert database.run_read(read) == [(False, True)] * 3


def test_changes_keep_the_checksums_right(database: Database, household: Household) -> None:
    def change(session: Session) -> None:
        conversation_id = direct_of(session, household)
        [message_id] = say(session, conversation_id, household.maja, "hej")
        do(session, household.maja, conversation_id, message_id, edit("hejsan"))
        do(session, household.emil, conversation_id, message_id, react("❤"))

    def read(session: Session) -> list[bool]:
        rows = [*session.query(Message), *session.query(MessageEdit), *session.query(Reaction)]
        return [row.checksum is not None and row.is_intact for row in rows]

    database.run(change)

    assert database.run_read(read) == [True, True, True]
    assert database.run_read(lambda session: list(damaged_rows(session))) == []


@pytest.mark.parametrize("column", ["user_id", "inserted_at", "message_type", "encryption_version"])
def test_a_changed_value_is_found(database: Database, household: Household, column: str) -> None:
    values = {
        "user_id": household.emil.user_id,
        "inserted_at": datetime(2020, 1, 1, tzinfo=UTC),
        "message_type": "other",
        "encryption_version": "2",
    }
    [message_id] = database.run(lambda session: say(session, direct_of(session, household), household.maja, "hej"))
    database.run(lambda session: session.execute(update(Message).values({column: values[column]})))

    assert database.run_read(lambda session: list(damaged_rows(session))) == [f"messages {message_id}"]


def test_every_damaged_row_of_several_pages_is_found_once(
    database: Database, household: Household, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(integrity, "_PAGE", 3)

    def damaged_messages(session: Session) -> list[str]:
        ids = say(session, direct_of(session, household), household.maja, *map(str, range(9)))
        damaged = [ids[0], ids[2], ids[3], ids[8]]
        session.execute(update(Message).where(Message.id.in_(damaged)).values(message_type="other"))
        return damaged

    damaged = database.run(damaged_messages)

    assert sorted(database.run_read(lambda session: list(damaged_rows(session)))) == sorted(
        f"messages {message_id}" for message_id in damaged
    )


def test_a_device_that_is_deleted_damages_no_message(database: Database, household: Household) -> None:
    database.run(lambda session: say(session, direct_of(session, household), household.maja, "hej"))
    database.run(lambda session: session.execute(text("DELETE FROM accounts_devices")))

    assert database.run_read(lambda session: list(damaged_rows(session))) == []


def test_a_change_of_a_damaged_row_keeps_it_damaged(database: Database, household: Household) -> None:
    group_id = database.run(lambda session: group_of(session, household))

    def damage_and_rename(session: Session) -> None:
        session.execute(update(Conversation).values(history="all"), execution_options={"synchronize_session": False})
        session.expire_all()
        session.get_one(Conversation, group_id).name = "Fika"

    database.run(damage_and_rename)

    assert database.run_read(lambda session: list(damaged_rows(session))) == [f"conversations {group_id}"]


def test_every_row_of_a_busy_household_has_a_checksum(database: Database, household: Household) -> None:
    def live(session: Session) -> list[str]:
        group_id = group_of(session, household)
        rename(session, session.get_one(Conversation, group_id), "Cabin", role="admin")
        assign_admin(session, household.maja.user_id, group_id, household.emil.user_id)
        change_profile(session, household.emil.user_id, {"display_name": parse_display_name("Dad")})
        change_role(session, household.maja.user_id, household.family_id, household.nils.user_id, "child")
        remember_required(session, EncryptionPolicies(dict.fromkeys(CONVERSATION_TYPES, "required")))
        archive_conversation(session, household.emil.user_id, group_id)
        revoke_devices(session, household.inga.user_id)
        session.flush()
        records: list[Any] = [User, Device, Family, FamilyMembership, Conversation, Participant, GroupPrivilege]
        return [
            f"{record.__name__}: {row.checksum}"
            for record in records
            for row in session.query(record)
            if row.checksum is None or not row.is_intact
        ]

    assert database.run(live) == []
    assert database.run_read(lambda session: list(damaged_rows(session))) == []
