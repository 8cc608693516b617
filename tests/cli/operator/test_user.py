import re
from pathlib import Path

from famichat.telemetry.events import (
    AccountDeleted,
    Event,
    FamilyMemberAdded,
    FamilyMemberRemoved,
    FamilyRoleChanged,
    InviteCreated,
)
from tests.support.operator import Operator


def test_an_added_user_is_listed(at_home: Operator) -> None:
    (anna,) = at_home("user", "list")["users"]

    assert (anna["username"], [family["name"] for family in anna["families"]]) == ("anna", ["Berg"])
    assert anna["last_login_at"] is None


def test_a_user_can_be_added_with_a_family(at_home: Operator) -> None:
    at_home("user", "add", "bo", "--family", "Berg", "--role", "admin", "--generate-password")

    (berg,) = at_home("family", "list")["families"]
    assert [(member["username"], member["role"]) for member in berg["members"]] == [("anna", "admin"), ("bo", "admin")]


def test_a_password_is_asked_for_twice_and_not_shown(operator: Operator) -> None:
    added = operator.run("user", "add", "bo", given="a long enough one\na long enough one\n")

    assert added.exit_code == 0
    assert "a long enough one" not in added.output


def test_a_generated_password_is_printed(operator: Operator) -> None:
    assert len(operator("user", "add", "bo", "--generate-password")["password"]) >= 12
    assert "password: " in operator.run("user", "password", "bo", "--generate-password").stdout


def test_a_new_password_signs_everything_out(at_home: Operator) -> None:
    changed = at_home("user", "password", "ANNA@example.org", "--password-stdin", given="another long one\n")

    assert changed["username"] == "anna"
    assert changed["signed_out_devices"] == 0
    assert "password" not in changed


def test_actions_of_the_operator_are_recorded(at_home: Operator) -> None:
    assert at_home("user", "ledger", "anna") == {"entries": [], "has_more": False}
    at_home("user", "password", "anna", "--generate-password")

    page = at_home("user", "ledger", "ANNA@example.org")
    (entry,) = page["entries"]
    assert (entry["action"], entry["by_id"], entry["by_name"]) == ("password_reset", None, None)
    assert at_home("user", "ledger", "anna", "--before", entry["id"])["entries"] == []
    assert at_home.run("user", "ledger", "anna").stdout.splitlines()[1].split()[1:4] == [
        "(the",
        "operator)",
        "password_reset",
    ]
    assert at_home.refused("user", "ledger", "bo") == "not_found"


def test_an_account_is_deleted_and_that_is_on_record(at_home: Operator) -> None:
    at_home("user", "add", "bo", "--family", "Berg", "--generate-password")
    assert at_home.refused("user", "delete", "anna", "--yes") == "last_admin"

    bo = at_home("user", "delete", "bo", "--yes")

    assert [each["username"] for each in at_home("user", "list")["users"]] == ["anna"]
    assert at_home.refused("user", "ledger", "bo") == "not_found"
    (entry,) = at_home("user", "ledger", bo["id"])["entries"]
    assert (entry["action"], entry["by_id"], entry["name"]) == ("account_deleted", None, None)
    assert at_home("user", "add", "bo", "--generate-password")["id"] != bo["id"]


def test_a_confirmation_can_be_declined(at_home: Operator) -> None:
    declined = at_home.run("user", "delete", "anna", given="n\n")

    assert declined.exit_code == 1
    assert "Permanently delete the account of anna?" in declined.stderr
    assert [each["username"] for each in at_home("user", "list")["users"]] == ["anna"]
    assert at_home.run("user", "delete", "anna", given="y\n").stdout.startswith("Deleted the account of anna (id ")


def test_a_common_password_is_refused(operator: Operator) -> None:
    assert operator.refused("user", "add", "bo", "--password-stdin", given="password\n") == "weak_password"


def test_usernames_and_addresses_are_unique(at_home: Operator) -> None:
    refusal = at_home.run("user", "add", "Anna", "--generate-password")
    assert refusal.exit_code == 1
    assert re.search(r"These are free: Anna\d+, Anna\d+, Anna\d+ \(username_taken\)", refusal.stderr)
    taken = ("user", "add", "bo", "--email", "anna@example.org", "--generate-password")
    assert at_home.refused(*taken) == "email_taken"


def test_an_unknown_user_cannot_be_changed(at_home: Operator) -> None:
    assert at_home.refused("user", "password", "bo", "--generate-password") == "not_found"
    assert at_home.refused("user", "add", "bo", "--family", "Strand", "--generate-password") == "not_found"
    assert len(at_home("user", "list")["users"]) == 1


def test_a_user_is_added_without_a_server_on_either_database(database_url: str, tmp_path: Path) -> None:
    operator = Operator(tmp_path / "data", database_url)
    operator("user", "add", "bo", "--generate-password")

    assert [user["username"] for user in operator("user", "list")["users"]] == ["bo"]


def test_people_read_a_table(at_home: Operator) -> None:
    heading, anna = at_home.run("user", "list").stdout.splitlines()

    assert heading.split() == ["user", "id", "families"]
    assert anna.startswith("anna  ")


def test_operator_actions_emit_the_same_events_as_user_actions(at_home: Operator, emitted: list[Event]) -> None:
    (berg,) = at_home("family", "list")["families"]
    bo = at_home("user", "add", "bo", "--family", "Berg", "--generate-password")["id"]
    issued = at_home("invite", "create", "Berg")["id"]
    at_home("family", "role", "Berg", "bo", "admin")
    at_home("user", "delete", "bo", "--yes")

    reported = [
        each for each in emitted if each.name.startswith(("famichat.family.", "famichat.invite.", "famichat.acc"))
    ]
    assert reported[-5:] == [
        FamilyMemberAdded(family_id=berg["id"], user_id=bo),
        InviteCreated(family_id=berg["id"], invite_id=issued, role="member", created_by_id=None),
        FamilyRoleChanged(family_id=berg["id"], user_id=bo, role="admin", changed_by_id=None),
        FamilyMemberRemoved(family_id=berg["id"], user_id=bo, removed_by_id=None),
        AccountDeleted(user_id=bo),
    ]
