"""Sending over HTTP takes one transaction besides the sender's authentication."""

from typing import Any

import pytest

from famichat.storage.base import new_id
from tests.factories.people import Person
from tests.support.app import RunningApp, running_app
from tests.support.statements import Transaction, transactions

AUTHENTICATION: Transaction = "read"


async def post(
    app: RunningApp, who: Person, conversation_id: str, body: dict[str, Any]
) -> tuple[int, dict[str, Any], list[Transaction]]:
    async with app.http(who) as http:
        with transactions() as seen:
            response = await http.post(f"/conversations/{conversation_id}/messages", json=body)
    return response.status_code, response.json(), seen


async def test_a_new_message_takes_one_transaction_and_is_answered_as_it_is_read_later(app: RunningApp) -> None:
    earlier = (await post(app, app.home.emil, app.talks.group, {"body": "the first"}))[1]
    body = {"body": "hej", "client_id": new_id(), "reply_to": earlier["message_id"]}
    status, view, seen = await post(app, app.home.maja, app.talks.group, body)
    async with app.http(app.home.emil) as http:
        read = await http.get(f"/conversations/{app.talks.group}/messages/{view['message_id']}")

    assert (status, seen) == (201, [AUTHENTICATION, "journal"])
    assert view == read.json()


async def test_a_repeat_is_answered_as_the_message_is_now(app: RunningApp) -> None:
    body = {"body": "hej", "client_id": new_id()}
    _, first, _ = await post(app, app.home.maja, app.talks.direct, body)
    async with app.http(app.home.maja) as http:
        await http.patch(f"/conversations/{app.talks.direct}/messages/{first['message_id']}", json={"body": "hejdå"})
    status, again, seen = await post(app, app.home.maja, app.talks.direct, body)

    assert (status, seen) == (200, [AUTHENTICATION, "journal", "read"])
    assert (again["message_id"], again["body"]) == (first["message_id"], "hejdå")


@pytest.mark.parametrize("missing", [True, False])
async def test_an_outsider_learns_nothing(app: RunningApp, *, missing: bool) -> None:
    conversation_id = new_id() if missing else app.talks.direct
    status, problem, seen = await post(app, app.home.ada, conversation_id, {"body": "let me in"})

    assert (status, problem["code"], seen) == (404, "not_found", [AUTHENTICATION, "journal"])


@pytest.mark.parametrize("policy", ["required", "forbidden"])
async def test_the_policy_is_checked_after_access(database_url: str, tmp_path: Any, policy: str) -> None:
    sealed = {"encryption_flag": True, "encryption_version": "mls10.1", "key_id": "1:42"}
    body = {"body": "9d_-x", **({} if policy == "required" else sealed)}
    async with running_app(database_url, tmp_path, encryption_policy_direct=policy) as app:
        inside = await post(app, app.home.emil, app.talks.direct, body)
        outside = await post(app, app.home.ada, app.talks.direct, body)

    assert (inside[1]["code"], inside[1]["error_code"]) == (
        "encryption_required" if policy == "required" else "invalid_encryption_metadata",
        604,
    )
    assert (outside[0], outside[1]["code"]) == (404, "not_found")


async def test_no_id_is_answered_as_a_missing_conversation(app: RunningApp) -> None:
    status, problem, _ = await post(app, app.home.maja, "no-id", {"body": "hej"})
    assert (status, problem["code"]) == (404, "not_found")
