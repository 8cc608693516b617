from tests.support.operator import Operator


def test_a_family_begins_with_its_admin(at_home: Operator) -> None:
    (berg,) = at_home("family", "list")["families"]

    assert berg["name"] == "Berg"
    assert [(member["username"], member["role"]) for member in berg["members"]] == [("anna", "admin")]
    assert "anna (admin)" in at_home.run("family", "list").stdout


def test_its_admin_must_have_an_account(at_home: Operator) -> None:
    assert at_home.refused("family", "add", "Strand", "--admin", "bo") == "not_found"


def test_a_family_needs_a_name(at_home: Operator) -> None:
    assert at_home.refused("family", "add", " ", "--admin", "anna") == "invalid_name"


def test_families_with_the_same_name_are_distinguished_by_id(at_home: Operator) -> None:
    second = at_home("family", "add", "Berg", "--admin", "anna")["id"]

    assert at_home.refused("invite", "create", "Berg") == "ambiguous"
    assert at_home("invite", "create", second)["family_id"] == second


def test_an_admin_appointed_by_the_operator_is_recorded(at_home: Operator) -> None:
    at_home("user", "add", "bo", "--family", "Berg", "--generate-password")
    assert at_home("family", "role", "Berg", "bo", "admin")["role"] == "admin"
    assert at_home("family", "role", "Berg", "ANNA@example.org", "member")["username"] == "anna"

    assert at_home.refused("family", "role", "Berg", "bo", "member") == "last_admin"
    assert at_home.refused("family", "role", "Berg", "cia", "admin") == "not_found"
    assert at_home.run("family", "role", "Berg", "bo", "admin").stdout == "bo is now an admin of Berg.\n"
    (entry,) = at_home("user", "ledger", "bo")["entries"]
    assert (entry["action"], entry["role"], entry["name"], entry["by_id"]) == (
        "family_role_changed",
        "admin",
        "Berg",
        None,
    )
