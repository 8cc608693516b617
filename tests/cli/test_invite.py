from datetime import UTC, datetime, timedelta

from famichat.storage.base import new_id
from tests.support.operator import Operator


def test_an_invitation_is_told_once_and_listed_without_its_token(at_home: Operator) -> None:
    issued = at_home("invite", "create", "Berg", "--role", "admin", "--days", "2")
    (listed,) = at_home("invite", "list", "Berg")["invites"]

    assert issued["url"].endswith(f"/invite#{issued['token']}")
    assert {**listed, "token": issued["token"], "url": issued["url"]} == issued
    assert listed["role"] == "admin"
    good_for = datetime.fromisoformat(listed["expires_at"]) - datetime.now(UTC)
    assert timedelta(days=1, hours=23) < good_for <= timedelta(days=2)


def test_one_that_is_taken_back_is_gone(at_home: Operator) -> None:
    issued = at_home("invite", "create", "Berg")
    at_home("invite", "revoke", "Berg", issued["id"])

    assert at_home("invite", "list", "Berg")["invites"] == []
    assert at_home.refused("invite", "revoke", "Berg", issued["id"]) == "invalid_invite"
    assert at_home.refused("invite", "revoke", "Berg", new_id()) == "invalid_invite"


def test_people_read_the_link(at_home: Operator) -> None:
    assert "http://localhost:4000/invite#" in at_home.run("invite", "create", "Berg").stdout
    assert "expires" in at_home.run("invite", "list", "Berg").stdout


def test_it_is_not_good_for_ever(at_home: Operator) -> None:
    assert at_home.run("invite", "create", "Berg", "--days", "31").exit_code == 2
