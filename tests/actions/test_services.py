"""Access is removed between two batches of the journal, in every action: "out is out" depends on it."""

import ast
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

import famichat
from famichat.accounts.device import revoke_device, revoke_devices
from famichat.accounts.sign_in.session import end_session
from famichat.accounts.sign_in.token import Identity
from famichat.actions.services import MustRunBetweenBatches, Services
from famichat.chat.account_deletion import delete_account
from famichat.chat.families.family import members_of
from famichat.chat.families.membership import remove_member
from famichat.chat.groups.membership import remove_from_group
from famichat.storage.database import Database
from tests.factories.people import Household
from tests.support.app import Talks, move_in

SOURCE = Path(famichat.__file__).parent

# How the users of `move_in` can lose access, and to what.
REMOVALS: dict[str, Callable[[Session, Household, Talks], object]] = {
    "a member of a group": lambda session, home, talks: remove_from_group(
        session, home.maja.user_id, talks.group, home.emil.user_id
    ),
    "a member of a family": lambda session, home, _: remove_member(
        session, home.maja.user_id, home.family_id, home.emil.user_id
    ),
    "a device": lambda session, home, _: revoke_device(session, home.emil.user_id, home.emil.device_id),
    "all devices": lambda session, home, _: revoke_devices(session, home.emil.user_id),
    "a session": lambda session, home, _: end_session(
        session, Identity(home.emil.user_id, home.emil.device_id, home.emil.username)
    ),
    "an account": lambda session, home, _: delete_account(session, home.emil.user_id),
}


def services_of(database: Database) -> Services:
    """Services with a database only."""
    services = SimpleNamespace(database=database)
    for name in ("read", "write", "write_between_batches"):
        setattr(services, name, getattr(Services, name).__get__(services))
    return cast("Services", services)


@pytest.mark.parametrize("what", REMOVALS)
async def test_a_transaction_that_removes_access_is_committed_between_batches_only(
    database: Database, what: str
) -> None:
    services, remove = services_of(database), REMOVALS[what]
    home, talks = await services.write(move_in)
    before = database.run_read(everything_granted)

    with pytest.raises(MustRunBetweenBatches):
        await services.write(remove, home, talks)
    assert database.run_read(everything_granted) == before, "it must be rolled back"

    await services.write_between_batches(remove, home, talks)
    assert database.run_read(everything_granted) != before


def everything_granted(session: Session) -> list[Any]:
    queries = (
        "SELECT conversation_id, user_id FROM conversation_participants ORDER BY 1, 2",
        "SELECT family_id, user_id FROM family_memberships ORDER BY 1, 2",
        "SELECT id FROM accounts_devices WHERE revoked_at IS NULL ORDER BY 1",
    )
    return [session.execute(text(query)).all() for query in queries]


async def test_arguments_are_passed_on_and_a_read_sees_earlier_writes(database: Database) -> None:
    services = services_of(database)
    home, _ = await services.write(move_in)
    members = await services.read(members_of, home.family_id)
    assert {each.profile.user_id for each in members} == {each.user_id for each in home.everyone}


def test_every_function_that_removes_access_marks_its_transaction() -> None:
    removing = {
        f"{path.relative_to(SOURCE)}: {function.name}"
        for path in (*SOURCE.glob("accounts/**/*.py"), *SOURCE.glob("chat/**/*.py"))
        for function in functions_of(path)
        if removes_access(function)
    }
    marking = {
        f"{path.relative_to(SOURCE)}: {function.name}"
        for path in (*SOURCE.glob("accounts/**/*.py"), *SOURCE.glob("chat/**/*.py"))
        for function in functions_of(path)
        if marks_removal(function)
    }
    assert removing == marking != set()


def removes_access(function: ast.FunctionDef) -> bool:
    source = ast.unparse(function)
    deletions = ("delete(Participant)", "delete(FamilyMembership)", "session.delete(membership)")
    revokes = "Device" in source and ("revoked_at=" in source or ".revoked_at = " in source)
    return revokes or any(each in source for each in deletions)


def marks_removal(function: ast.FunctionDef) -> bool:
    marks = ("mark_access_removed(", "record_left_conversation(", "record_revoked_devices(", "record_deleted_user(")
    return any(each in ast.unparse(function) for each in marks)


def functions_of(path: Path) -> Iterator[ast.FunctionDef]:
    return (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef))


def test_endpoints_and_actions_run_transactions_through_services_only() -> None:
    found = {
        str(path.relative_to(SOURCE))
        for path in (*SOURCE.glob("endpoint/**/*.py"), *SOURCE.glob("actions/**/*.py"))
        if any(
            f"services.database.{name}" in (source := path.read_text()) or f"context.database.{name}" in source
            for name in ("transaction", "between_batches", "read(")
        )
    }
    assert found == set()
