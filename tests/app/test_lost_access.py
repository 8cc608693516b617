"""After a restore, access that was removed since the backup is removed again, and nothing else."""

from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from famichat.accounts.device import Device, devices_of, revoke_device
from famichat.app.lost_access import ReplacedData, read_replaced_data, remove_again, replaced_data
from famichat.chat.account_deletion import delete_account
from famichat.chat.conversations.create import create_group_conversation
from famichat.chat.families.membership import change_role, remove_member
from famichat.chat.groups.membership import add_to_group, remove_from_group
from famichat.chat.records.family import FamilyMembership
from famichat.chat.records.participant import participants
from famichat.storage.data_dir import DataDir
from famichat.storage.database import Database
from tests.factories.people import Household, person
from tests.support.operator import Operator


class RolledBack(Exception):
    """Ends a transaction, as a restore undoes what was done since the backup."""


@pytest.fixture
def group(database: Database, household: Household) -> str:
    """Maja's group of the whole family."""
    ids = [each.user_id for each in household.everyone]
    return database.run(lambda session: create_group_conversation(session, ids[0], "Trip", ids[1:]).conversation.id)


def access(session: Session, household: Household, group: str) -> set[str]:
    """Return who has access to what."""
    members = select(FamilyMembership.user_id).where(FamilyMembership.family_id == household.family_id)
    in_family, in_group = {*session.execute(members).scalars()}, participants(session, group)
    names = {each.user_id: each.username for each in household.everyone}
    return (
        {f"{names[each]} in the family" for each in in_family}
        | {f"{names[each]} in the group" for each in in_group}
        | {f"device of {name}" for user_id, name in names.items() if devices_of(session, user_id)}
    )


def test_what_was_removed_is_removed_again_but_not_what_was_given_back(
    database: Database, household: Household, group: str
) -> None:
    maja, emil, inga, nils = household.everyone
    replaced: list[ReplacedData] = []

    def remove(session: Session) -> None:
        revoke_device(session, maja.user_id, maja.device_id)
        remove_member(session, maja.user_id, household.family_id, emil.user_id)
        delete_account(session, inga.user_id)
        remove_from_group(session, maja.user_id, group, nils.user_id)
        add_to_group(session, maja.user_id, group, nils.user_id)
        session.flush()
        replaced.append(read_replaced_data(session))
        raise RolledBack

    with pytest.raises(RolledBack):
        database.run(remove)
    before = database.run_read(lambda session: access(session, household, group))
    removed = database.run(lambda session: remove_again(session, *replaced))
    after = database.run_read(lambda session: access(session, household, group))

    assert before - after == {
        "device of maja",
        "device of inga",
        "emil in the family",
        "emil in the group",
        "inga in the family",
        "inga in the group",
    }
    assert [(each.kind, each.username, each.name, each.is_removed) for each in removed] == [
        ("user", "inga", "", True),
        ("family", "emil", "Sundqvist", True),
        ("device", "maja", "maja's phone", True),
    ]
    assert database.run(lambda session: remove_again(session, *replaced)) == []


def test_what_had_been_removed_before_the_backup_may_have_been_given_back_since_and_stays(
    database: Database, household: Household, group: str
) -> None:
    maja, _, _, nils = household.everyone

    def remove(session: Session) -> ReplacedData:
        remove_from_group(session, maja.user_id, group, nils.user_id)
        session.flush()
        replaced = read_replaced_data(session)
        add_to_group(session, maja.user_id, group, nils.user_id)
        return replaced

    replaced = database.run(remove)

    assert database.run(lambda session: remove_again(session, replaced)) == []
    assert nils.user_id in database.run_read(lambda session: participants(session, group))


def test_the_only_admin_in_the_backup_is_not_removed_but_listed(database: Database, household: Household) -> None:
    maja, emil, _, _ = household.everyone
    replaced: list[ReplacedData] = []

    def remove(session: Session) -> None:
        change_role(session, maja.user_id, household.family_id, emil.user_id, "admin")
        remove_member(session, emil.user_id, household.family_id, maja.user_id)
        session.flush()
        replaced.append(read_replaced_data(session))
        raise RolledBack

    with pytest.raises(RolledBack):
        database.run(remove)
    removed = database.run(lambda session: remove_again(session, *replaced))

    assert [(each.username, each.is_removed) for each in removed] == [("maja", False)]


@pytest.fixture
def backed_up(tmp_path: Path) -> tuple[Operator, Path]:
    """A server and its backup, after which the device of anna was signed out."""
    server, file = Operator(tmp_path / "data"), tmp_path / "backup.tar"
    server("migrate")
    database = Database(f"sqlite:///{server.data_dir / 'famichat.db'}")
    anna = database.run(lambda session: person(session, "anna"))
    server("backup", str(file))
    database.run(lambda session: revoke_device(session, anna.user_id, anna.device_id))
    database.close()
    return server, file


def signed_in(place: Operator) -> int:
    """Return on how many devices people are signed in."""
    database = Database(f"sqlite:///{place.data_dir / 'famichat.db'}")
    try:
        statement = select(Device.id).where(Device.revoked_at.is_(None))
        return len(database.run_read(lambda session: session.execute(statement).all()))
    finally:
        database.close()


def test_a_restore_removes_and_lists_what_the_replaced_database_says(
    backed_up: tuple[Operator, Path], tmp_path: Path
) -> None:
    server, file = backed_up
    restored, careless = Operator(tmp_path / "restored"), Operator(tmp_path / "careless")
    (removed,) = restored("restore", str(file), "--revocations-from", str(server.data_dir))["removed_again"]

    assert (removed["kind"], removed["username"], removed["name"], removed["is_removed"]) == (
        "device",
        "anna",
        "anna's phone",
        True,
    )
    assert signed_in(restored) == 0
    assert careless("restore", str(file))["removed_again"] == []
    assert signed_in(careless) == 1


def test_a_replaced_database_that_cannot_be_read_is_refused_before_anything_is_restored(
    backed_up: tuple[Operator, Path], tmp_path: Path
) -> None:
    _, file = backed_up
    restored, damaged = Operator(tmp_path / "restored"), tmp_path / "damaged.db"
    damaged.write_bytes(b"not a database" * 1000)

    assert restored.refused("restore", str(file), "--revocations-from", str(damaged)) == "unavailable"
    assert restored.refused("restore", str(file), "--revocations-from", str(tmp_path / "none")) == "no_database"
    assert not (restored.data_dir / "famichat.db").exists()


def test_the_next_start_removes_what_a_killed_restore_did_not(backed_up: tuple[Operator, Path], tmp_path: Path) -> None:
    server, file = backed_up
    old = Database(f"sqlite:///{server.data_dir / 'famichat.db'}")
    noted = replaced_data(old).to_json()
    old.close()
    restored = Operator(tmp_path / "restored")
    restored("restore", str(file))
    DataDir(restored.data_dir).note_lost_access(noted)
    restored("user", "add", "bo", "--password-stdin", given="a long enough one\n")

    assert signed_in(restored) == 0
    assert DataDir(restored.data_dir).lost_access() is None
