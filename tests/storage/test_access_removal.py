"""Each removal of access is a row of the same transaction, and no reader misses a row that commits late."""

import ast
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

import famichat
from famichat.accounts.device import add_device, revoke_device, revoke_devices
from famichat.chat.account_deletion import delete_account
from famichat.chat.conversations.create import create_direct_conversation, create_group_conversation
from famichat.chat.conversations.leave import leave_direct
from famichat.chat.families.membership import remove_member
from famichat.chat.groups.membership import remove_from_group
from famichat.storage import access_removal
from famichat.storage.access_removal import (
    KEPT_DAYS,
    RemovedAccess,
    forget_old_removals,
    newest_position,
    record_deleted_user,
    removals_since,
)
from famichat.storage.base import new_id
from famichat.storage.database import Database
from tests.factories.people import INDEX, Household
from tests.support.clock import Clock

SOURCE = Path(famichat.__file__).parent

REMOVING = {
    "accounts/account_deletion.py:_erase_devices",
    "accounts/device.py:_revoke",
    "chat/account_deletion.py:delete_orphans",  # deletes devices that are signed out already
    "chat/groups/membership.py:remove_participant",
}
"""The functions that delete a participant or sign a device out. Each must record it, or follow one that does."""


def recorded(database: Database) -> list[tuple[str, str, str | None]]:
    """The rows: what was lost, by whom, and the id of the conversation or device."""
    with_all = select(RemovedAccess).order_by(RemovedAccess.id)
    rows = database.run_read(lambda session: session.execute(with_all).scalars().all())
    return [(row.kind, row.user_id, row.conversation_id or row.device_id) for row in rows]


def _removes(function: ast.AST) -> bool:
    """Whether a function deletes participants or devices, or signs devices out."""
    calls = [ast.unparse(node) for node in ast.walk(function) if isinstance(node, ast.Call)]
    deletes = any(call.startswith(("delete(Participant", "delete(Device")) for call in calls)
    revokes = any(call.startswith("update(Device") and "revoked_at=" in call for call in calls)
    sets = any(
        isinstance(node, ast.Attribute) and node.attr == "revoked_at" and isinstance(node.ctx, ast.Store)
        for node in ast.walk(function)
    )
    return deletes or revokes or sets


def test_the_functions_that_remove_access_are_known() -> None:
    found = {
        f"{path.relative_to(SOURCE)}:{node.name}"
        for path in SOURCE.rglob("*.py")
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and _removes(node)
    }

    assert found == REMOVING


def test_each_removal_is_recorded_in_its_transaction(database: Database, household: Household) -> None:
    maja, emil, inga, nils = household.everyone

    def create(session: Session) -> tuple[str, str, str]:
        group = create_group_conversation(session, maja.user_id, "Holiday", [emil.user_id, inga.user_id])
        direct = create_direct_conversation(session, maja.user_id, emil.user_id, blind_index=INDEX)
        return group.conversation.id, direct.conversation.id, add_device(session, emil.user_id, "tablet").id

    group, direct, tablet = database.run(create)
    steps: list[tuple[Callable[[Session], object], set[tuple[str, str, str | None]]]] = [
        (lambda s: remove_from_group(s, maja.user_id, group, emil.user_id), {("conversation", emil.user_id, group)}),
        (lambda s: leave_direct(s, emil.user_id, direct), {("conversation", emil.user_id, direct)}),
        (
            lambda s: remove_member(s, maja.user_id, household.family_id, inga.user_id),
            {("conversation", inga.user_id, group)},
        ),
        (lambda s: revoke_device(s, emil.user_id, tablet), {("device", emil.user_id, tablet)}),
        (lambda s: revoke_devices(s, emil.user_id), {("device", emil.user_id, emil.device_id)}),
        (lambda s: delete_account(s, nils.user_id), {("user", nils.user_id, None)}),
    ]
    for step, expected in steps:
        before = recorded(database)
        database.run(step)
        assert set(recorded(database)[len(before) :]) == expected


def test_a_removal_that_is_rolled_back_is_not_recorded(database: Database, household: Household) -> None:
    def fail(session: Session) -> None:
        revoke_devices(session, household.emil.user_id)
        session.flush()
        raise LookupError

    with pytest.raises(LookupError):
        database.run(fail)

    assert recorded(database) == []


def test_a_removal_that_commits_late_is_read(database: Database) -> None:
    """On PostgreSQL, the transaction that inserts the first row commits last; SQLite runs them one after the other."""
    early, late = new_id(), new_id()
    position = database.run_read(newest_position)
    inserted, go_on = threading.Event(), threading.Event()

    def waits(session: Session) -> None:
        record_deleted_user(session, late)
        session.flush()
        inserted.set()
        if database.dialect == "postgresql":
            assert go_on.wait(10)

    thread = threading.Thread(target=database.run, args=(waits,))
    thread.start()
    assert inserted.wait(10)
    if database.dialect == "sqlite":
        thread.join(10)
    database.run(lambda session: record_deleted_user(session, early))
    first = database.run_read(lambda session: removals_since(session, position))
    go_on.set()
    thread.join(10)
    second = database.run_read(lambda session: removals_since(session, first.position))
    third = database.run_read(lambda session: removals_since(session, second.position))

    assert {row.user_id for row in (*first.rows, *second.rows)} == {early, late}
    assert list(third.rows) == []


def test_removals_before_the_first_position_are_not_read(database: Database) -> None:
    database.run(lambda session: record_deleted_user(session, new_id()))
    position = database.run_read(newest_position)

    assert list(database.run_read(lambda session: removals_since(session, position)).rows) == []


def test_old_removals_are_forgotten_and_newer_ones_are_still_read(database: Database, clock: Clock) -> None:
    database.run(lambda session: record_deleted_user(session, new_id()))
    position = database.run_read(newest_position)
    clock.jump(timedelta(days=KEPT_DAYS + 1))
    database.run(forget_old_removals)
    newer = new_id()
    database.run(lambda session: record_deleted_user(session, newer))

    found = database.run_read(lambda session: removals_since(session, position))
    assert [row.user_id for row in found.rows] == [newer]
    assert recorded(database) == [("user", newer, None)]


def test_the_table_names_no_other_table() -> None:
    assert access_removal.RemovedAccess.__table__.foreign_keys == set()  # it outlives the account
