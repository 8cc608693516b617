from datetime import UTC, datetime, timedelta

import pytest

from famichat.app.reachable import reachable_urls
from famichat.storage.base import new_id
from tests.support.operator import Operator


def test_an_invitation_token_is_printed_once_and_never_listed(at_home: Operator) -> None:
    issued = at_home("invite", "create", "Berg", "--role", "admin", "--days", "2")
    (listed,) = at_home("invite", "list", "Berg")["invites"]

    assert issued["url"].endswith(f"/invite#{issued['token']}")
    assert {**listed, "token": issued["token"], "url": issued["url"]} == issued
    assert listed["role"] == "admin"
    good_for = datetime.fromisoformat(listed["expires_at"]) - datetime.now(UTC)
    assert timedelta(days=1, hours=23) < good_for <= timedelta(days=2)


def test_a_revoked_invitation_is_not_listed(at_home: Operator) -> None:
    issued = at_home("invite", "create", "Berg")
    at_home("invite", "revoke", "Berg", issued["id"])

    assert at_home("invite", "list", "Berg")["invites"] == []
    assert at_home.refused("invite", "revoke", "Berg", issued["id"]) == "invalid_invite"
    assert at_home.refused("invite", "revoke", "Berg", new_id()) == "invalid_invite"


def test_people_read_the_link(at_home: Operator) -> None:
    assert "http://localhost:4000/invite#" in at_home.run("invite", "create", "Berg").stdout
    assert "expires" in at_home.run("invite", "list", "Berg").stdout


def test_without_a_public_url_the_link_of_a_server_on_all_addresses_can_be_opened_by_phones(
    at_home: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAMICHAT_HOST", "0.0.0.0")  # noqa: S104 - what this test is about

    assert at_home("invite", "create", "Berg")["url"].startswith(f"{reachable_urls('0.0.0.0', 4000)[0]}/invite#")  # noqa: S104


def test_the_lifetime_is_limited(at_home: Operator) -> None:
    assert at_home.run("invite", "create", "Berg", "--days", "31").exit_code == 2
